"""Who leads by a metric, and whether seeds and test rows tell the leader from each other method."""

from dataclasses import dataclass

import polars as pl

from postclick.experiments.comparison.summary import OverSeeds, RowTest, Summary
from postclick.metrics.catalogue import badness
from postclick.stats.significance import Significance, significance

ALPHA = 0.05


@dataclass(frozen=True)
class Rival:
    """A method that does not lead.

    Attributes:
        difference: the leader's mean minus this method's.
        test: this method against the leader over seeds.
    """

    method: str
    difference: float
    test: Significance

    @property
    def p(self) -> float | None:
        """Of the paired test, Holm-corrected over all rivals; `untested` says why there is none."""
        return self.test.paired_holm

    @property
    def untested(self) -> str | None:
        return self.test.paired.undefined

    @property
    def separated(self) -> bool:
        return self.p is not None and self.p < ALPHA


@dataclass(frozen=True)
class Ranking:
    """Methods by one metric.

    Attributes:
        best: the method with the best mean over seeds, `cell` its figures.
        rivals: the others, best first.
        undefined: methods that have no value, with the reason.
        over_rows: the test of the leader over test rows, where the seeds support it.
    """

    metric: str
    space: str
    best: str
    cell: OverSeeds
    rivals: tuple[Rival, ...]
    undefined: dict[str, str]
    over_rows: RowTest | None = None

    @property
    def supported(self) -> bool:
        """Whether both tests tell the leader from every other method, as `Row.best` has it."""
        told = all(rival.separated for rival in self.rivals)
        rows = self.over_rows is not None and self.over_rows.holds
        return bool(self.rivals) and not self.undefined and told and rows


def rank(summary: Summary, results: pl.DataFrame, metric: str, space: str) -> Ranking | None:
    """Rank methods by an AUC or NLL; `None` where no method has a value.

    `results` are the tidy results that `summary` was made of.
    """
    row = summary.row(metric, space)
    if row is None or row.degenerate:
        return None
    means = {name: cell.mean for name, cell in row.by_method.items() if cell.mean is not None}
    if not means:
        return None
    order = sorted(means, key=lambda name: badness(metric, means[name]))
    found = results.filter((pl.col("metric") == metric) & (pl.col("space") == space)).sort("seed")
    values = {name: found.filter(pl.col("method") == name)["value"].to_list() for name in order}
    best = order[0]
    rivals = tuple(
        Rival(test.method, means[best] - means[test.method], test)
        for test in significance(values, metric, against=best)
    )
    reasons = {
        name: cell.undefined or "not measured"
        for name, cell in row.by_method.items()
        if cell.mean is None
    }
    tested = row.over_rows if row.best_over_seeds == best else None
    return Ranking(metric, space, best, row.by_method[best], rivals, reasons, tested)
