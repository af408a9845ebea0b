"""The results of the docs: all methods on all worlds and data sets, as Markdown.

    python benchmarks/results.py --out FOLDER --hillstrom FILE --coat FOLDER --movielens SOURCE

Worlds are drawn anew for each repeat, users, items and labels included; data sets are what they
are, and repeats are seeds. Data sets whose path is not given are left out. Finished runs are kept,
so that an interrupted command goes on where it was; `--only NAME,NAME` runs a part, `--write FILE`
writes the tables of all that is in FOLDER.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postclick
from draw_tables import PAPERS, against_the_best, of_draws, ranked
from fresh_draws import Draw, Record, apart, by_draw, draw_of, kept_records, measured
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Arm, Plan
from postclick.experiments.comparison.results import fixed_runs, gather_results, tuned_runs
from postclick.experiments.comparison.summary import Summary
from postclick.experiments.comparison.terminal_tables import GAIN
from postclick.progress import PlainReporter
from postclick.reporting.compare import compare
from results_tables import across, defaults_against_tuned, minutes, table

# Of our own, whatever is asked to beat the papers' methods; four starts of `naive` as a control.
OURS = ("mean_of/starts", "click_prior", "mean_of", "mean_of/anchored", "mean_of/stacked")
# What is not a method of the papers that all others compare with.
OTHERS = (
    *("anchor", "tempered_ips", "dros", "stable_dr", "dt_dr", "logistic", "gbdt"),
    *OURS,
)
METHODS = (*PAPERS, *OTHERS)
# The same for all, so that losses are what differs; mmoe has its own, or would be naive.
COMMON = ("network.backbone=share_bottom", "training.patience=null", "training.keep=last")
SELECTED = ("selection", "selection_network")
# Every method is tuned with this many trials in the second table, on the logs marked so.
TRIALS, TUNED_METHODS = 3, "naive,esmm,escm2_ipw,choruscvr"
REPEATS = 5
# Ours and the papers' best few are compared on more draws, where gains are tested.
CONTENDERS, MORE_REPEATS = 4, 10


@dataclass(frozen=True)
class World:
    """A world of the results; rates of .1 give differences on few rows."""

    name: str
    settings: tuple[tuple[str, Any], ...]
    more: tuple[str, ...] = ()

    def draws(self, number: int) -> list[Draw]:
        return [draw_of(self.name, k, **dict(self.settings)) for k in range(number)]

    @property
    def methods(self) -> tuple[str, ...]:
        return (*METHODS, *self.more)


def world(
    name: str, rows: int = 60_000, *, rates: float | None = 0.1, more: tuple[str, ...] = ()
) -> World:
    settings: dict[str, float | int] = {"rows": rows}
    if rates is not None:
        settings |= {"ctr": rates, "cvr": rates}
    return World(name, tuple(settings.items()), more)


WORLDS = (
    world("confounded"),
    world("adverse"),
    world("hidden"),
    world("independent"),
    world("position"),
    world("shift"),
    world("aliexpress_like", 50_000),
    world("aliccp_like", 30_000),
    world("sparse", 150_000, rates=None),
    world("interactions"),
    world("deep"),
    world("drifting"),
    world("selection_iv", more=SELECTED),
)


@dataclass(frozen=True)
class DataSet:
    """A data set of the results, with its options."""

    name: str
    dataset: str
    options: tuple[str, ...] = ()
    tuned: bool = False


def hillstrom(test: str) -> DataSet:
    options = ("train_arms=Mens E-Mail", f"test_arms={test}")
    return DataSet(f"hillstrom, men's mail to {test}", "hillstrom", options)


DATA_SETS = (
    DataSet("hillstrom", "hillstrom", tuned=True),
    DataSet("coat", "coat", tuned=True),
    DataSet("movielens, 100 items", "movielens", ("items=100",), tuned=True),
    hillstrom("Womens E-Mail"),
    hillstrom("No E-Mail"),
)


def prepared(log: DataSet, folder: Path, sources: dict[str, Path | None]) -> PreparedLog | None:
    """The prepared log, made if it is not there; `None` where its source was not given."""
    data = folder / "data"
    if data.exists():
        return PreparedLog(data)
    source = sources.get(log.dataset)
    if source is None:
        return None
    chosen = dict(option.split("=", 1) for option in log.options)
    options = {key: int(v) if v.isdigit() else v for key, v in chosen.items()}
    return postclick.prepare(postclick.get_dataset(log.dataset).load(source, options), data)


def arms() -> list[Arm]:
    """A line for each method, called as in the tables of worlds."""
    return [
        Arm(title, name, tuple(options)) for title in METHODS for name, options in [apart(title)]
    ]


def measure(log: DataSet, folder: Path, data: PreparedLog) -> None:
    quiet = PlainReporter()
    out = folder / "results"
    compare(data, arms(), out, seeds=REPEATS, trials=0, reporter=quiet)
    if log.tuned:
        tuned = TUNED_METHODS.split(",")
        compare(data, tuned, out, seeds=REPEATS, trials=TRIALS, reporter=quiet)


def collect(log: DataSet, folder: Path) -> tuple[Summary, Summary | None]:
    """Both tables, from the runs, which all are there."""
    data, out = PreparedLog(folder / "data"), folder / "results"
    plan = Plan.make(arms(), REPEATS)
    fixed = gather_results(data, plan, {"fixed": fixed_runs(plan)}, out, "test").summary
    if not log.tuned:
        return fixed, None
    few = Plan.make(TUNED_METHODS.split(","), REPEATS)
    parts = {"fixed": fixed_runs(few), "tuned": tuned_runs(few, TRIALS, out)}
    return fixed, gather_results(data, few, parts, out, "test").tuned


def measure_world(one: World, out: Path, workers: int) -> None:
    """All methods on the first draws; then ours and the papers' best on more."""
    found = measured(out, one.draws(REPEATS), one.methods, workers, COMMON)
    best = ranked(records(one, found, one.methods, REPEATS), PAPERS)[:CONTENDERS]
    measured(out, one.draws(MORE_REPEATS), [*best, *OURS, *one.more], workers, COMMON)


def records(
    one: World, found: dict[tuple[str, str], Record], methods: Sequence[str], draws: int
) -> dict[str, list[Record]]:
    """By method, of those that have all these draws."""
    keys = [draw.key for draw in one.draws(draws)]
    return {m: [found[k, m] for k in keys] for m in methods if all((k, m) in found for k in keys)}


def world_page(one: World, summary: Summary, found: dict[str, list[Record]]) -> list[str]:
    some = next(iter(found.values()))
    conversions = sum(record["conversions"] for record in some) / len(some)
    told = ", ".join(f"{key}={value}" for key, value in one.settings)
    return [
        f"## {one.name}",
        "",
        f"{told}; {conversions:,.0f} training conversions; {len(some)} draws.",
        "",
        *table(summary),
        "",
    ]


def page(log: DataSet, folder: Path, fixed: Summary, tuned: Summary | None) -> list[str]:
    """Both tables of a data set, its funnel, and how long it took."""
    counts = PreparedLog(folder / "data").manifest.splits
    funnel = "; ".join(
        f"{name} {s.rows:,} impressions, {s.clicks:,} clicks, {s.conversions:,} conversions"
        for name, s in counts.items()
    )
    lines = [f"## {log.name}", "", f"{funnel}.", "", *table(fixed), ""]
    length = fixed.protocol["length"]
    lines += [f"{length[0].upper()}{length[1:]}; {minutes(folder, ('runs',)):.1f} minutes.", ""]
    if tuned is not None:
        chosen = tuned.protocol["tuned"]
        told = "; ".join(
            f"`{name}` lr {c['lr']:.2g}, decay {c['weight_decay']:.2g}, dropout {c['dropout']:g}, "
            f"dim {c['embedding_dim'] or 'default'}"
            for name, c in chosen.items()
        )
        lines += [f"Tuned, {TRIALS} trials each:", "", *table(tuned), ""]
        spent = minutes(folder, ("trials", "tuned"))
        lines += [f"Chosen on validation: {told}. {spent:.1f} minutes.", ""]
    return lines


def overview(fixed: dict[str, Summary], pairs: dict[str, tuple[Summary, Summary]]) -> list[str]:
    """All logs at once: who ranks best, who is nearest to the truth, and what tuning brings."""
    parts = (
        ("CVR-AUC on clicked test impressions", ("cvr_auc", "clicked"), False),
        ("True AUC of pCVR, all impressions", ("true_cvr_auc", "entire"), False),
        ("Share of the possible gain in true NLL, all impressions, %", GAIN, True),
        ("Bias of pCVR over all impressions, %", ("cvr_relative_bias", "entire"), False),
    )
    lines = []
    for title, (metric, space), share in parts:
        lines += [f"## {title}", "", *across(fixed, metric, space, share=share), ""]
    if pairs:
        lines += ["## Tuned minus defaults, CVR-AUC", "", *defaults_against_tuned(pairs), ""]
    return lines


INTRODUCTION = f"""# All tables

Written by `benchmarks/results.py` with the command in [results.md](results.md), which says what
they say. Worlds are drawn anew {REPEATS} times, users, items and labels included; of data sets
there are {REPEATS} seeds. ± is the standard deviation over them. The best mean of a column is bold,
which does not say that it beats the others beyond noise; **\\*** marks what does (paired,
Holm-corrected over methods, 5 %; on data sets over test rows too). Columns are explained in
[evaluation.md](evaluation.md).
"""


def write(given: argparse.Namespace) -> str:
    """The page, of what there is."""
    found = by_draw(kept_records(given.out / "worlds"))
    fixed: dict[str, Summary] = {}
    pairs: dict[str, tuple[Summary, Summary]] = {}
    far: dict[str, dict[str, list[Record]]] = {}
    lines: list[str] = []
    for one in WORLDS:
        here = records(one, found, one.methods, REPEATS)
        if len(here) == len(one.methods):
            fixed[one.name] = of_draws(here)
            far[one.name] = records(one, found, one.methods, MORE_REPEATS) or here
            lines += world_page(one, fixed[one.name], here)
    for log in DATA_SETS:
        folder = folder_of(given.out, log)
        if (folder / "results" / "summary.json").exists():
            fixed[log.name], tuned = collect(log, folder)
            if tuned is not None:
                pairs[log.name] = fixed[log.name], tuned
            lines += page(log, folder, fixed[log.name], tuned)
    ours = ["## Ours against the best of the papers", "", *against_the_best(far, OURS, PAPERS), ""]
    return "\n".join([INTRODUCTION, *ours, *overview(fixed, pairs), *lines])


def folder_of(out: Path, log: DataSet) -> Path:
    return out / log.name.replace(" ", "_").replace(",", "").replace("'", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", type=Path)
    for name in ("hillstrom", "coat", "movielens"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    sources = {name: getattr(given, name) for name in ("hillstrom", "coat", "movielens")}
    only = {name for name in given.only.split(";") if name}
    for one in WORLDS:
        if not only or one.name in only:
            measure_world(one, given.out / "worlds", given.workers)
    for log in DATA_SETS:
        if not only or log.name in only:
            folder = folder_of(given.out, log)
            data = prepared(log, folder, sources)
            if data is not None:
                measure(log, folder, data)
    if given.write:
        given.write.write_text(write(given), encoding="utf-8")


if __name__ == "__main__":
    main()
