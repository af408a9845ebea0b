"""The answer of a comparison in one sentence: what to ship, how sure that is, and what to mend."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from postclick.experiments.comparison.summary import Summary
from postclick.metrics.catalogue import badness
from postclick.spelling import counted
from postclick.stats.paired import holm
from postclick.stats.power import detectable_difference
from postclick.stats.significance import significance

METRIC, SPACE = "cvr_auc", "clicked"
# Who has to be beaten: the first of these that was compared, else the method named first.
SIMPLEST = ("naive", "esmm")
ALPHA, POWER = 0.05, 0.8
MEANT = "it is meant to be that of all, had they been clicked, so do not calibrate it on clicks"
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Recommendation:
    """What to ship, by CVR-AUC on clicked test rows, and whether its pCVR is right on average.

    Attributes:
        sentence: all of it in words.
        ship: the method: one that is better than the simplest in both tests, else the simplest.
        simplest: what every other method was compared with.
        better: the methods that are better than the simplest in both tests, best mean first.
        gain: of `ship` over the simplest over test rows, `value`, `low`, `high`; None for itself.
        conversions: of the judged split.
        detectable: the least difference to the simplest, of the best of the others, that the test
            over rows finds with a power of 80 %; None where there is none to test.
        pcoc: of `ship` on clicked rows, `value`, `low`, `high`; None where it is undefined.
        calibrate: a command that calibrates its first run; None where the interval of PCOC has 1,
            or pCVR is meant to be another rate than that on clicks.
    """

    sentence: str
    ship: str
    simplest: str
    better: tuple[str, ...]
    gain: dict[str, float] | None
    conversions: int
    detectable: float | None
    pcoc: dict[str, float] | None
    calibrate: str | None

    def as_dict(self) -> dict[str, Any]:
        """As written to summary.json."""
        return {**asdict(self), "better": list(self.better)}


def simplest_of(methods: Sequence[str]) -> str:
    """The method that every other one has to beat.

    >>> simplest_of(["evi", "esmm", "naive"]), simplest_of(["evi", "dcmt"])
    ('naive', 'evi')
    """
    return next((name for name in SIMPLEST if name in methods), methods[0])


def recommend(
    summary: Summary,
    results: pl.DataFrame,
    diagnostics: Entry,
    protocol: str,
    command: Mapping[str, str],
) -> Recommendation:
    """What one protocol of a comparison says to do.

    A method is better than the simplest if both tests say so, each Holm-corrected over all
    methods at 5 %: the paired t-test over seeds, and DeLong's over test rows (by group where the
    log has groups). Of several, the one with the best mean is named.

    Args:
        results: the tidy results that `summary` was made of.
        diagnostics: as in diagnostics.json.
        command: how to calibrate a run of each method; none of those whose pCVR is meant to be
            another rate than that on clicks.
    """
    simplest = simplest_of(summary.methods)
    of_protocol = diagnostics["protocols"][protocol]
    tested: Entry = of_protocol["simplest"]
    split, conversions = str(diagnostics["split"]), int(diagnostics["conversions"])
    better = _better(summary, results, simplest, tested)
    ship = better[0] if better else simplest
    rival = better[0] if better else _challenger(summary, simplest)
    found: Entry | None = tested["methods"].get(rival)
    detectable = None
    if found is not None and found["standard_error"] > 0:
        detectable = detectable_difference(found["standard_error"], 1 - ALPHA, POWER)
    pcoc = _pcoc(of_protocol["intervals"], ship)
    wrong = pcoc is not None and not pcoc["low"] <= 1 <= pcoc["high"]
    gain = None
    if better and found is not None:
        gain = {"value": found["difference"], "low": found["low"], "high": found["high"]}
    on = f"on {counted(conversions, f'{split} conversion')}"
    if detectable is not None:
        on += f" (difference that could have been seen: {detectable:.2g})"
    if gain is not None:
        told = (
            f"Ship {ship}: {gain['value']:+.3f} CVR-AUC over {simplest} "
            f"({gain['low']:.3f} to {gain['high']:.3f}) {on}."
        )
    else:
        told = f"{_nobody(summary, simplest, tested)} {on}. Ship the simplest, {simplest}."
    if len(summary.methods) == 1:
        told = f"Only {ship} was trained, judged {on}: there is nothing to choose."
    if wrong and pcoc is not None:
        mend = "calibrate" if ship in command else MEANT
        told += f" Its pCVR is {off(pcoc['value'])} on clicked impressions: {mend}."
    return Recommendation(
        sentence=told,
        ship=ship,
        simplest=simplest,
        better=better,
        gain=gain,
        conversions=conversions,
        detectable=detectable,
        pcoc=pcoc,
        calibrate=command.get(ship) if wrong else None,
    )


def off(pcoc: float) -> str:
    """How far a sum of predictions is from that of labels.

    >>> off(0.86), off(1.204)
    ('14 % too low', '20 % too high')
    """
    share = f"{100 * abs(pcoc - 1):.0f} %"
    return f"{share} too {'low' if pcoc < 1 else 'high'}"


def _better(
    summary: Summary, results: pl.DataFrame, simplest: str, tested: Entry
) -> tuple[str, ...]:
    """The methods that both tests tell from the simplest, best mean first."""
    means = _means(summary)
    if simplest not in means or summary.seeds < 2:
        return ()
    mine = results.filter((pl.col("metric") == METRIC) & (pl.col("space") == SPACE)).sort("seed")
    values = {
        name: mine.filter(pl.col("method") == name)["value"].to_list()
        for name in summary.methods
        if name in means
    }
    over_seeds = {
        one.method: one
        for one in significance(values, METRIC, against=simplest)
        if one.paired_holm is not None and one.paired_holm < ALPHA and (one.gain or 0) > 0
    }
    methods: Entry = tested["methods"]
    p_values = holm([1.0 if one["p"] is None else one["p"] for one in methods.values()])
    over_rows = {
        name
        for (name, one), p in zip(methods.items(), p_values, strict=True)
        if p < ALPHA and one["difference"] > 0
    }
    both = [name for name in over_seeds if name in over_rows]
    return tuple(sorted(both, key=lambda name: badness(METRIC, means[name])))


def _means(summary: Summary) -> dict[str, float]:
    row = summary.row(METRIC, SPACE)
    cells = {} if row is None else row.by_method
    return {name: cell.mean for name, cell in cells.items() if cell.mean is not None}


def _challenger(summary: Summary, simplest: str) -> str | None:
    """The best of the others by mean."""
    means = {name: mean for name, mean in _means(summary).items() if name != simplest}
    return min(means, key=lambda name: badness(METRIC, means[name]), default=None)


def _nobody(summary: Summary, simplest: str, tested: Entry) -> str:
    if simplest not in _means(summary) or tested["undefined"] is not None:
        return "No method can be told from another: CVR-AUC cannot be tested"
    if summary.seeds < 2:
        return f"No method can be told from {simplest} with one seed"
    return f"No method is better than {simplest} beyond noise"


def _pcoc(intervals: Entry, method: str) -> dict[str, float] | None:
    for entry in intervals["methods"][method]["figures"]:
        if (entry["metric"], entry["space"]) == ("cvr_pcoc", SPACE):
            return {name: float(entry[name]) for name in ("value", "low", "high")}
    return None
