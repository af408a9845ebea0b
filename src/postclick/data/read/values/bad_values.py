"""What could not be used of a column: how many rows, and a few of their values."""

from dataclasses import dataclass

import polars as pl

EXAMPLES = 3
# What may be wrong with a value, or odd about it.
NOT_BINARY, UNREADABLE, INFINITE = "not-binary", "unreadable", "infinite"
LENGTHS, NO_WEIGHT = "lengths", "no-weight"
TRUTH_RANGE, NO_TRUTH, UNREADABLE_TIME = "truth-range", "no-truth", "unreadable-time"
NO_NUMBER = "no-number"
BRACKETS = "brackets"


@dataclass(frozen=True)
class BadValues:
    """How many rows of a column hold what cannot be used, and a few of their values."""

    rows: int = 0
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: pl.Series, bad: pl.Series) -> "BadValues":
        """Count the rows where `bad` is true and show the first different values of `column`."""
        rows = int(bad.sum() or 0)
        if rows == 0:
            return cls()
        values = column.filter(bad).head(10_000).unique(maintain_order=True).head(EXAMPLES)
        return cls(rows, tuple("missing" if v is None else repr(v) for v in values.to_list()))


# Which kind of bad values was found in which column.
Found = list[tuple[str, str, BadValues]]
