"""The results of the docs: all methods on all worlds and data sets, as Markdown.

    python benchmarks/results.py --out FOLDER --hillstrom FILE --coat FOLDER --movielens SOURCE

Data sets whose path is not given are left out. Finished runs are kept, so that an interrupted
command goes on where it was; `--only NAME,NAME` runs a part, `--write FILE` writes the tables of
all that is in FOLDER.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import postclick
from postclick.data.prepared import PreparedLog
from postclick.datasets.simulated import write_simulated
from postclick.experiments.comparison.plan import Plan
from postclick.experiments.comparison.results import fixed_runs, gather_results, tuned_runs
from postclick.experiments.comparison.summary import Summary
from postclick.experiments.comparison.terminal_tables import GAIN
from postclick.progress import PlainReporter
from postclick.reporting.compare import compare
from results_tables import across, defaults_against_tuned, minutes, table

# Every method is tuned with this many trials in the second table, on the logs marked so.
TRIALS, TUNED_METHODS = 3, "naive,esmm,escm2_ipw,choruscvr"
SEEDS = 5


@dataclass(frozen=True)
class Log:
    """A log of the results: a world with settings, or a data set with options."""

    name: str
    world: dict[str, float | int] | None = None
    dataset: str | None = None
    options: tuple[str, ...] = ()
    tuned: bool = False


def world(name: str, rows: int, *, rates: float | None = 0.1, tuned: bool = False) -> Log:
    """Rates of .1 give 1 % conversions, so that differences show on few rows."""
    settings: dict[str, float | int] = {"rows": rows}
    if rates is not None:
        settings |= {"ctr": rates, "cvr": rates}
    return Log(name, world=settings, tuned=tuned)


def arms(test: str) -> Log:
    options = ("train_arms=Mens E-Mail", f"test_arms={test}")
    return Log(f"hillstrom, men's mail to {test}", dataset="hillstrom", options=options)


LOGS = (
    world("confounded", 60_000, tuned=True),
    world("adverse", 60_000, tuned=True),
    world("hidden", 60_000, tuned=True),
    Log("hillstrom", dataset="hillstrom", tuned=True),
    Log("coat", dataset="coat", tuned=True),
    Log("movielens, 100 items", dataset="movielens", options=("items=100",), tuned=True),
    world("independent", 60_000),
    world("position", 60_000),
    world("shift", 60_000),
    world("aliexpress_like", 50_000),
    world("aliccp_like", 30_000),
    world("sparse", 150_000, rates=None),
    world("interactions", 60_000),
    world("deep", 60_000),
    world("drifting", 60_000),
    world("selection_iv", 60_000),
    arms("Womens E-Mail"),
    arms("No E-Mail"),
)


def prepared(log: Log, folder: Path, sources: dict[str, Path | None]) -> PreparedLog | None:
    """The prepared log, made if it is not there; `None` where its source was not given."""
    data = folder / "data"
    if data.exists():
        return PreparedLog(data)
    if log.world is not None:
        raw = folder / "log"
        if not raw.exists():
            write_simulated(raw, log.name, seed=1, **log.world)  # type: ignore[arg-type]
        splits = postclick.open_splits(
            raw / "schema.yaml", [raw / "train.parquet"], test=[raw / "test.parquet"]
        )
        # Where there is a time, validation is nearest to the test, as tomorrow is to today.
        by = "time" if splits.schema.time is not None else "random"
        return postclick.prepare(splits, data, split_by=by)
    source = sources.get(log.dataset or "")
    if source is None:
        return None
    assert log.dataset is not None
    chosen = dict(option.split("=", 1) for option in log.options)
    options = {key: int(v) if v.isdigit() else v for key, v in chosen.items()}
    return postclick.prepare(postclick.get_dataset(log.dataset).load(source, options), data)


def measure(log: Log, folder: Path, data: PreparedLog) -> None:
    quiet = PlainReporter()
    compare(data, "all", folder / "results", seeds=SEEDS, trials=0, reporter=quiet)
    if log.tuned:
        compare(data, TUNED_METHODS, folder / "results", seeds=SEEDS, trials=TRIALS, reporter=quiet)


def collect(log: Log, folder: Path) -> tuple[Summary, Summary | None]:
    """Both tables, from the runs, which all are there."""
    data, out = PreparedLog(folder / "data"), folder / "results"
    plan = Plan.make(["all"], SEEDS)
    fixed = gather_results(data, plan, {"fixed": fixed_runs(plan)}, out, "test").summary
    if not log.tuned:
        return fixed, None
    few = Plan.make(TUNED_METHODS.split(","), SEEDS)
    parts = {"fixed": fixed_runs(few), "tuned": tuned_runs(few, TRIALS, out)}
    return fixed, gather_results(data, few, parts, out, "test").tuned


def page(log: Log, folder: Path, fixed: Summary, tuned: Summary | None) -> list[str]:
    """Both tables of a log, its funnel, and how long it took."""
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
        ("Share of the possible gain in true NLL, all impressions, %", GAIN, True),
        ("Bias of pCVR over all impressions, %", ("cvr_relative_bias", "entire"), False),
    )
    lines = [
        "# All tables",
        "",
        f"Made by `benchmarks/results.py`; {SEEDS} seeds. The best mean is bold; that does not say",
        "that it beats the others beyond noise: the tables of each log mark that with a star.",
        "",
    ]
    for title, (metric, space), share in parts:
        lines += [f"## {title}", "", *across(fixed, metric, space, share=share), ""]
    lines += ["## Tuned minus defaults, CVR-AUC", "", *defaults_against_tuned(pairs), ""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    for name in ("hillstrom", "coat", "movielens"):
        parser.add_argument(f"--{name}", type=Path)
    given = parser.parse_args()
    sources = {name: getattr(given, name) for name in ("hillstrom", "coat", "movielens")}
    only = {name for name in given.only.split(",") if name}
    fixed: dict[str, Summary] = {}
    pairs: dict[str, tuple[Summary, Summary]] = {}
    lines: list[str] = []
    for log in LOGS:
        folder = given.out / log.name.replace(" ", "_").replace(",", "").replace("'", "")
        if not only or log.name in only:
            data = prepared(log, folder, sources)
            if data is not None:
                measure(log, folder, data)
        if given.write and (folder / "results" / "summary.json").exists():
            fixed[log.name], tuned = collect(log, folder)
            if tuned is not None:
                pairs[log.name] = fixed[log.name], tuned
            lines += page(log, folder, fixed[log.name], tuned)
    if given.write:
        given.write.write_text("\n".join([*overview(fixed, pairs), *lines]), encoding="utf-8")


if __name__ == "__main__":
    main()
