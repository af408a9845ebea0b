"""Whole numbers that name something: too large and too many to count or measure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.check.findings import Finding, share

Floats = npt.NDArray[np.float64]
BEYOND = 2.0**31
MANY = 32  # different ones beyond from which they are taken for ids
SHARE = 0.1  # of the different numbers, which has to lie beyond
NARROW = 0.5  # range over largest number: times since 1970 have less
SKEW = 20.0  # 99th percentile over median from which a number is an amount
KEPT = 4096  # different numbers of a column that are remembered


def look_like_ids(values: Floats) -> bool:
    """Whether the whole numbers `values`, each once, are ids: many of them are beyond 2^31.

    >>> rng = np.random.default_rng(0)
    >>> look_like_ids(rng.integers(-(2**63), 2**63 - 1, 99).astype(np.float64))
    True
    >>> look_like_ids(np.arange(99.0))
    False
    """
    beyond = int((np.abs(values) > BEYOND).sum())
    return beyond > MANY and beyond >= SHARE * len(values) and bool((values % 1 == 0).all())


def is_skewed(values: Floats) -> bool:
    """Whether numbers are never negative and a few far above the others.

    >>> is_skewed(np.array([0.0, 1.0, 2.0, 500.0])), is_skewed(np.array([-1.0, 2.0, 500.0]))
    (True, False)
    """
    middle, top = np.quantile(values, [0.5, 0.99])
    return bool(values.min() >= 0 and top > SKEW * max(float(middle), 0.05))


class IdLikeNumbers:
    """Watches the numeric columns of a log for ids; adds up over chunks in any order."""

    def __init__(self, names: Sequence[str]) -> None:
        # A column leaves once it has a fraction. Of the others those numbers are kept whose
        # hashes are smallest: a uniform sample of the different ones.
        self._kept = {name: pl.Series(name, [], dtype=pl.Float64) for name in names}
        self._beyond = dict.fromkeys(names, 0)
        self._rows = dict.fromkeys(names, 0)

    def add(self, frame: pl.DataFrame) -> None:
        """Take in canonical columns."""
        for name in list(self._kept):
            column = frame[name].drop_nulls()
            if len(column) == 0:
                continue
            beyond = int((column.abs() > BEYOND).sum())
            self._rows[name] += len(column)
            self._beyond[name] += beyond
            # All chunks count, those without a number beyond too, or it would depend on them.
            if bool((column.floor() != column).any()):
                del self._kept[name]
            else:
                self._keep(name, column)

    def merge(self, other: "IdLikeNumbers") -> None:
        self._kept = {name: kept for name, kept in self._kept.items() if name in other._kept}
        for name in self._kept:
            self._keep(name, other._kept[name])
            self._beyond[name] += other._beyond[name]
            self._rows[name] += other._rows[name]

    def _keep(self, name: str, column: pl.Series) -> None:
        kept = self._kept[name]
        if len(kept) == KEPT:  # sorted by hash: what lies above the last is not needed
            column = column.filter(column.hash(seed=0) < kept.tail(1).hash(seed=0)[0])
            if len(column) == 0:
                return
        both = pl.concat([kept, column]).unique()
        self._kept[name] = both.gather(both.hash(seed=0).arg_sort().head(KEPT))

    def findings(self) -> list[Finding]:
        """One for each column that looks like ids.

        >>> numbers = IdLikeNumbers(["h"])
        >>> values = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 99)
        >>> numbers.add(pl.DataFrame({"h": values.astype(np.float64)}))
        >>> numbers.findings()[0].message[:65]
        "train: column 'h': 99 of 99 rows (100 %) hold whole numbers beyon"
        """
        found = []
        for name, kept in self._kept.items():
            rows, beyond = self._rows[name], self._beyond[name]
            values = kept.to_numpy()
            if not beyond or not look_like_ids(values) or is_skewed(values):
                continue
            low, high = float(values.min()), float(values.max())
            if low > 0 and high - low < NARROW * high:
                continue
            message = (
                f"train: column {name!r}: {share(beyond, rows)} hold whole numbers beyond 2^31, "
                f"{low:.3g} to {high:.3g}, and many different ones: it looks like an id, whose "
                "size means nothing: list it under categorical or hashed"
            )
            found.append(Finding("numeric-id", "warning", name, beyond, message))
        return found
