"""Mean prediction against mean label, bucket by bucket: PCOC by pCTR, calibration, bias."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import finite_vector, in_range


@dataclass(frozen=True)
class Bucket:
    """The rows whose `by` lies in `[low, high]`.

    Attributes:
        low, high: smallest and largest `by` of the bucket's rows.
        rows: how many rows.
        predicted, observed: mean prediction and mean label over them.
        pcoc: sum of predictions / sum of labels; None where the labels sum to 0.
        weight: the sum of the rows' weights, by which all means and sums are; None without.

    >>> Bucket(0.1, 0.2, 4, 0.3, 0.25, 1.2).rows
    4
    """

    low: float
    high: float
    rows: int
    predicted: float
    observed: float
    pcoc: float | None
    weight: float | None = None


def by_bucket(
    by: ArrayLike,
    prediction: ArrayLike,
    label: ArrayLike,
    buckets: int = 10,
    *,
    weight: ArrayLike | None = None,
) -> tuple[Bucket, ...]:
    """Means in equal-frequency buckets of `by`, lowest first; each row is in exactly one.

    A bound between two buckets is put where it leaves their sizes nearest to equal without
    splitting rows of equal `by`. Where ties leave room for fewer bounds there are fewer buckets,
    one if all are equal, none without rows.

    - PCOC by pCTR: `by_bucket(pctr[c], pcvr[c], v[c])` on clicked rows.
    - Bias by propensity: `by_bucket(true_ctr, pcvr, true_cvr)`, entire space.
    - Calibration: `by_bucket(pcvr[c], pcvr[c], v[c])`.

    With a `weight`, finite and not negative, means are weighted; buckets are of equally many rows
    all the same, and rows of weight 0 are left out.

    Shapes: vectors `(n,)`; `by` finite (logits order as probabilities do), `prediction` and
    `label` in [0, 1], the label 0/1 or soft. Raises `InputError` for values outside, lengths that
    differ, and fewer than one bucket.

    Source: ChorusCVR, Fig. 3 (PCOC by bucket).

    >>> pctr, pcvr, v = [0.1, 0.1, 0.1, 0.6], [0.2, 0.1, 0.3, 0.4], [0, 1, 0, 0]
    >>> for bucket in by_bucket(pctr, pcvr, v, buckets=2):
    ...     print(bucket.low, bucket.high, bucket.rows, round(bucket.predicted, 3), bucket.observed)
    0.1 0.1 3 0.2 0.3333333333333333
    0.6 0.6 1 0.4 0.0
    """
    key = finite_vector("by", by)
    n = key.size
    predictions = in_range("prediction", prediction, 0.0, 1.0, n)
    labels = in_range("label", label, 0.0, 1.0, n)
    if buckets < 1:
        raise InputError(f"{buckets} buckets cannot hold any rows; give at least 1")
    w = None
    if weight is not None:
        w = in_range("weight", weight, 0.0, np.inf, n).astype(np.float64)
        kept = w > 0
        key, w = key[kept], w[kept]
        predictions, labels = w * predictions[kept], w * labels[kept]
    if not key.size:
        return ()
    ordered = np.sort(key)
    starts = bucket_starts(ordered, buckets)
    ends = [*starts[1:], key.size]
    bucket_of = np.searchsorted(ordered[starts[1:]], key, side="right")

    def sums(values: NDArray[Any]) -> list[float]:
        found: list[float] = np.bincount(bucket_of, values, len(starts)).tolist()
        return found

    rows = [end - start for start, end in zip(starts, ends, strict=True)]
    sizes = rows if w is None else sums(w)
    return tuple(
        Bucket(
            float(ordered[start]),
            float(ordered[start + count - 1]),
            count,
            p / size,
            y / size,
            p / y if y > 0 else None,
            None if w is None else size,
        )
        for start, count, size, p, y in zip(
            starts, rows, sizes, sums(predictions), sums(labels), strict=True
        )
    )


def bucket_starts(ordered: NDArray[Any], buckets: int) -> list[int]:
    """Where each of `buckets` buckets of about equally many rows begins, the first at 0.

    Shape: `ordered` `(n,)`, rising, `n > 0`. Rows of equal value share a bucket, so there may be
    fewer.

    >>> bucket_starts(np.array([1, 1, 1, 2, 3, 4]), 3)
    [0, 3, 4]
    """
    n = ordered.size
    starts = [0]
    for k in range(1, buckets):
        wanted = k * n // buckets
        # The run of equal values around the wanted place ends on either side of it.
        first = int(np.searchsorted(ordered, ordered[wanted], side="left"))
        last = int(np.searchsorted(ordered, ordered[wanted], side="right"))
        start = first if wanted - first <= last - wanted else last
        if starts[-1] < start < n:
            starts.append(start)
    return starts


def calibration_error(buckets: Sequence[Bucket]) -> float:
    """Expected calibration error: mean of |predicted - observed|, buckets weighted by rows.

    Where rows have weights, buckets are weighted by those.

    It depends on the number of buckets: compare only errors of equally many. Raises `InputError`
    if there is no bucket.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
    binning", 2015, there with buckets of equal width.

    >>> halves = Bucket(0.1, 0.2, 30, 0.15, 0.25, 0.6), Bucket(0.3, 0.4, 10, 0.35, 0.25, 1.4)
    >>> round(calibration_error(halves), 6)
    0.1
    """
    sizes = [bucket.rows if bucket.weight is None else bucket.weight for bucket in buckets]
    if not sum(sizes):
        raise InputError("there are no buckets, so no calibration error; give rows to bucket")
    errors = (abs(bucket.predicted - bucket.observed) for bucket in buckets)
    return sum(size * error for size, error in zip(sizes, errors, strict=True)) / sum(sizes)
