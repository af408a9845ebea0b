"""Findings on the weight column: can rows count by it, and how many equal ones are they worth?"""

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.check.findings import Finding, Severity, share
from postclick.data.manifest import CLICK, CONVERSION, WEIGHT
from postclick.data.read.canonical import Issues
from postclick.data.read.values.sample_weight import BAD_WEIGHT, LARGEST_WEIGHT
from postclick.spelling import counted

Floats = npt.NDArray[np.float64]


class WeightCounts:
    """Sums of the weights of one split's rows; rows without one, which are told apart, weigh 0.

    Attributes:
        rows: rows taken in.
        total, squares: sums over all rows of the weight and of its square.
        clicks, conversions: sums of the weight over clicked and over converted rows.
        low, high: least and largest weight.

    >>> counts = WeightCounts()
    >>> counts.add(pl.DataFrame({"click": [1, 0], "conversion": [0, 0], WEIGHT: [1.0, 3.0]}))
    >>> counts.total, counts.clicks, counts.effective_rows
    (4.0, 1.0, 1.6)
    """

    def __init__(self) -> None:
        self.rows = 0
        self.total = self.squares = self.clicks = self.conversions = 0.0
        self.low, self.high = np.inf, 0.0

    def add(self, rows: pl.DataFrame) -> None:
        """Take in canonical rows."""
        if rows.height == 0:
            return
        weight: Floats = rows[WEIGHT].fill_null(0.0).to_numpy()
        self.rows += rows.height
        self.total += float(weight.sum())
        self.squares += float(np.square(weight).sum())
        self.clicks += float(weight[_ones(rows[CLICK])].sum())
        self.conversions += float(weight[_ones(rows[CONVERSION])].sum())
        self.low = min(self.low, float(weight.min()))
        self.high = max(self.high, float(weight.max()))

    @property
    def effective_rows(self) -> float:
        """(sum w)^2 / sum w^2: how many rows of equal weight tell as much (Kish 1965)."""
        return self.total**2 / self.squares if self.squares > 0 else 0.0


def _ones(label: pl.Series) -> npt.NDArray[np.bool_]:
    return (label == 1).fill_null(False).to_numpy()


def unusable_weights(column: str, split: str, issues: Issues, rows: int) -> list[Finding]:
    """Rows of a log without a weight that can be used."""
    bad = issues.rows[BAD_WEIGHT, column]
    if not bad:
        return []
    values = ", ".join(issues.examples[BAD_WEIGHT, column])
    message = (
        f"{split}: weight {column!r} is no number from 0 to {LARGEST_WEIGHT:g} in "
        f"{share(bad, rows)}, found {values}: write a number of 0 or more in every row"
    )
    return [Finding("unusable-weight", "error", column, bad, message)]


def weight_findings(column: str, split: str, counts: WeightCounts) -> list[Finding]:
    """Whether anything weighs something in a split, and what its rows are worth."""
    hard: Severity = "error" if split == "train" else "warning"
    mend = "nothing can be learned from it" if split == "train" else "nobody can be judged by it"
    if not counts.rows:
        return []
    parts = {
        "rows": counts.total,
        "clicked rows": counts.clicks,
        "converted rows": counts.conversions,
    }
    for what, weight in parts.items():
        if weight == 0:
            message = (
                f"{split}: weight {column!r} is 0 in all {what}, so that {mend}: write above 0 how "
                "many impressions a row stands for, or take weight out of the schema"
            )
            return [Finding("no-weight", hard, column, counts.rows, message)]
    message = (
        f"{split}: {counted(counts.rows, 'row stands', 'rows stand')} for {counts.total:,.6g} "
        f"impressions (weight {column!r}, {counts.low:.4g} to {counts.high:.4g}), with a CTR of "
        f"{counts.clicks / counts.total:.4f} and a CVR of "
        f"{counts.conversions / counts.clicks:.4f}; they tell as much as "
        f"{counts.effective_rows:,.0f} rows of equal weight"
    )
    return [Finding("weights", "info", column, counts.rows, message)]
