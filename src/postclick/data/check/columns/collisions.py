"""How many values of a hashed feature share a bucket with others."""

import numpy as np
import polars as pl

from postclick.data.check.findings import Finding, Severity
from postclick.data.check.splits.overlap import KeySketch
from postclick.data.read.values.bucket_hash import text_hash64
from postclick.data.schema import Hashed

# Values that are followed exactly; with more, a part of them.
MAX_VALUES = 2_000_000
# Share of values that share a bucket from which there is a warning.
MANY = 0.25
# With buckets for so many times the values, about one value in ten shares its bucket.
ROOM = 10
MOST_BUCKETS = 2**31 - 2


class BucketCounts:
    """The different values of one hashed feature, as hashes.

    >>> counts = BucketCounts(buckets=2)
    >>> counts.add(pl.Series(["a", "b", "a", None])); counts.add(pl.Series(["c"]))
    >>> counts.values(), counts.shared(), round(counts.expected(), 3)
    (3, 1.0, 0.75)
    """

    def __init__(self, buckets: int, max_values: int = MAX_VALUES) -> None:
        self.buckets = buckets
        self._sketch = KeySketch(max_values)

    def add(self, texts: pl.Series) -> None:
        """Take in canonical texts."""
        known = texts.drop_nulls()
        if len(known):
            self._sketch.add(text_hash64(known))

    def merge(self, other: "BucketCounts") -> None:
        """Take in the values of other rows."""
        self._sketch.merge(other._sketch)

    def values(self) -> int:
        """Different values; about, where not all are followed."""
        hashes, part = self._sketch.keys()
        return round(len(hashes) / part)

    def expected(self) -> float:
        """Share of values that share a bucket if hashes are random: 1 - (1 - 1/buckets)^(n - 1)."""
        others = max(self.values() - 1, 0)
        return float(-np.expm1(others * np.log1p(-1 / self.buckets)))

    def shared(self) -> float | None:
        """Share of values that do share one; None where not all are followed."""
        hashes, part = self._sketch.keys()
        if part < 1:
            return None
        if not len(hashes):
            return 0.0
        _, counts = np.unique(hashes % np.uint64(self.buckets), return_counts=True)
        return float(counts[counts > 1].sum() / len(hashes))


def collision_findings(feature: Hashed, counts: BucketCounts) -> list[Finding]:
    """Different training values, buckets, and how many values share one."""
    values = counts.values()
    if not values:
        return []
    shared, expected = counts.shared(), counts.expected()
    actual = expected if shared is None else shared
    severity: Severity = "warning" if actual > MANY else "info"
    about = "about " if shared is None else ""
    message = (
        f"train: hashed column {feature.name!r}: {about}{values:,} different values in "
        f"{feature.buckets:,} buckets; {about}{actual:.1%} of them share a bucket with others "
        f"({expected:.1%} expected)"
    )
    if severity == "warning":
        message += f": set buckets: {min(_round_up(ROOM * values), MOST_BUCKETS)}, or more"
    return [Finding("bucket-collisions", severity, feature.name, 0, message)]


def _round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 ...

    >>> _round_up(146_870), _round_up(20), _round_up(21)
    (200000, 20, 50)
    """
    power: int = 10 ** (len(str(number)) - 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= number)
