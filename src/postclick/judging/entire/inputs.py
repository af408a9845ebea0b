"""What estimates over all impressions are made of: clicked rows, and sums over everyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, in_range, vector

Floats = NDArray[np.float64]

# Scores are kept by bins of the logit of pCVR, as wide as 1 / PER_LOGIT, from -LIMIT to LIMIT.
LIMIT, PER_LOGIT = 16, 1024
BINS = 2 * LIMIT * PER_LOGIT


@dataclass(frozen=True)
class ClickedRows:
    """The clicked impressions, as arrays of shape `(n,)`.

    Attributes:
        pcvr: the judged model's pCVR, in [0, 1].
        conversion: recorded, 0 or 1.
        propensity: probability of the click, in [0, 1], as logged, modelled or fitted.
        unit: int64, from 0: rows that belong together, such as those of a user, share one.
        weight: how many impressions each row stands for; all ones where none were given.

    Raises `InputError` for shapes that differ and values out of range.

    >>> rows = ClickedRows.of([0.1, 0.2], [0, 1], [0.5, 0.05], unit=[0, 1])
    >>> rows.weight.tolist(), rows.conversion.tolist()
    ([1.0, 1.0], [False, True])
    """

    pcvr: Floats
    conversion: NDArray[np.bool_]
    propensity: Floats
    unit: NDArray[np.int64]
    weight: Floats

    @classmethod
    def of(
        cls,
        pcvr: ArrayLike,
        conversion: ArrayLike,
        propensity: ArrayLike,
        unit: ArrayLike,
        weight: ArrayLike | None = None,
    ) -> ClickedRows:
        """Checked, and in the types that the estimates need."""
        q = in_range("pcvr", pcvr, 0.0, 1.0).astype(np.float64)
        n = q.size
        return cls(
            q,
            as_labels("conversion", conversion, n),
            in_range("propensity", propensity, 0.0, 1.0, n).astype(np.float64),
            as_units("unit", unit, n),
            np.ones(n)
            if weight is None
            else in_range("weight", weight, 0.0, np.inf, n).astype(np.float64),
        )

    @classmethod
    def joined(cls, pieces: Sequence[ClickedRows]) -> ClickedRows:
        """The rows of all pieces, in their order.

        >>> one = ClickedRows.of([0.1], [0], [0.5], unit=[0])
        >>> ClickedRows.joined([one, one]).pcvr.tolist(), len(ClickedRows.joined([]))
        ([0.1, 0.1], 0)
        """
        if not pieces:
            return cls.of([], [], [], [])
        return cls(
            *(
                np.concatenate([getattr(piece, name) for piece in pieces])
                for name in ("pcvr", "conversion", "propensity", "unit", "weight")
            )
        )

    def __len__(self) -> int:
        return int(self.pcvr.size)

    def by_unit(self, values: Floats, units: int) -> Floats:
        """Sums of `(n,)` values over the rows of each unit, shape `(units,)`."""
        return np.bincount(self.unit, values, units).astype(np.float64, copy=False)


class UnitTotals:
    """Sums over all impressions, clicked or not, by unit; and what scores they have.

    Memory: 24 bytes a unit, and half a megabyte for the scores; none for rows.

    Attributes:
        size: `(units,)`, impressions.
        pcvr: `(units,)`, the sum of pCVR.
        entropy: `(units,)`, the sum of the entropy of pCVR, in nats: its expected NLL if it is
            right.
        size_by_score, pcvr_by_score: `(BINS,)`, impressions and sum of pCVR by `score_bin`.

    >>> everyone = UnitTotals(units=3)
    >>> everyone.add([0.1, 0.5, 0.3], unit=[0, 2, 0])
    >>> everyone.size.tolist(), everyone.pcvr.round(1).tolist(), everyone.entropy.round(3).tolist()
    ([2.0, 0.0, 1.0], [0.4, 0.0, 0.5], [0.936, 0.0, 0.693])
    """

    def __init__(self, units: int) -> None:
        """`InputError` unless there are 1 or more units."""
        if units < 1:
            raise InputError(f"there are {units} units; give 1 or more")
        self.size, self.pcvr, self.entropy = (np.zeros(units) for _ in range(3))
        self.size_by_score, self.pcvr_by_score = np.zeros(BINS), np.zeros(BINS)

    def add(self, pcvr: ArrayLike, unit: ArrayLike, weight: ArrayLike | None = None) -> None:
        """Add impressions, clicked or not, shapes `(n,)`.

        Raises `InputError` for shapes that differ, values out of range, and units beyond those
        that the totals were made for.
        """
        q = in_range("pcvr", pcvr, 0.0, 1.0).astype(np.float64)
        u = as_units("unit", unit, q.size, self.units)
        w = None
        if weight is not None:
            w = in_range("weight", weight, 0.0, np.inf, q.size).astype(np.float64)
        log_q, log_rest, logit = logs(q)
        entropy = -(q * log_q + (1.0 - q) * log_rest)
        place = score_bin(logit)
        weighed = (q, entropy) if w is None else (q * w, entropy * w)
        self.size += np.bincount(u, w, self.units)
        self.pcvr += np.bincount(u, weighed[0], self.units)
        self.entropy += np.bincount(u, weighed[1], self.units)
        self.size_by_score += np.bincount(place, w, BINS)
        self.pcvr_by_score += np.bincount(place, weighed[0], BINS)

    def merge(self, other: UnitTotals) -> UnitTotals:
        """Add the impressions of `other`, which stays as it is; returns self.

        Raises `InputError` if the two have other numbers of units.

        >>> a, b = UnitTotals(2), UnitTotals(2)
        >>> b.add([0.5], unit=[1])
        >>> a.merge(b).size.tolist()
        [0.0, 1.0]
        """
        if other.units != self.units:
            raise InputError(
                f"totals of {other.units:,} and of {self.units:,} units cannot be merged; "
                "make both for the same units"
            )
        for name in ("size", "pcvr", "entropy", "size_by_score", "pcvr_by_score"):
            getattr(self, name)[:] += getattr(other, name)
        return self

    @property
    def units(self) -> int:
        return int(self.size.size)

    @property
    def impressions(self) -> float:
        """How many impressions there are in all."""
        return float(self.size.sum())


def as_units(
    name: str, values: ArrayLike, rows: int, units: int | None = None
) -> NDArray[np.int64]:
    """Units as int64, shape `(rows,)`; `InputError` for what is no number from 0 below `units`.

    >>> as_units("unit", np.array([0, 2], np.int32), 2, units=3).dtype
    dtype('int64')
    """
    array = vector(name, values, rows)
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{name} has dtype {array.dtype}; give whole numbers from 0")
    most = np.inf if units is None else units
    bad = int(np.count_nonzero((array < 0) | (array >= most)))
    if bad:
        told = "from 0" if units is None else f"from 0 to {units - 1:,}"
        raise InputError(f"{name} is out of range on {bad:,} of {rows:,} rows; number it {told}")
    return array.astype(np.int64, copy=False)


def logs(q: Floats) -> tuple[Floats, Floats, Floats]:
    """ln q, ln(1 - q) and their difference, the logit; the least float stands for 0 in the logs.

    So q ln q is 0 where q is 0. Shape `(n,)` each.

    >>> [float(one[0].round(4)) for one in logs(np.array([0.2]))]
    [-1.6094, -0.2231, -1.3863]
    """
    least = np.finfo(np.float64).tiny
    log_q = np.log(np.maximum(q, least))
    log_rest = np.log1p(-np.minimum(q, 1.0 - np.finfo(np.float64).epsneg))
    return log_q, log_rest, log_q - log_rest


def score_bin(logit: Floats) -> NDArray[np.int64]:
    """Which bin of scores a logit is in, from 0 to BINS - 1; the outermost are open.

    >>> score_bin(np.array([-700.0, 0.0, 700.0])).tolist() == [0, BINS // 2, BINS - 1]
    True
    """
    place = np.floor((logit + LIMIT) * PER_LOGIT)
    return np.clip(place, 0, BINS - 1).astype(np.int64)
