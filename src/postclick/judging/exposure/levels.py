"""Exposure values, cut into the few levels that are judged, with the click rate of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.buckets import bucket_starts
from postclick.metrics.inputs import finite_vector, in_range

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["numeric", "categorical"]
# Numbers with more values than this are cut into BUCKETS; so many categories stand alone.
DISTINCT, BUCKETS = 20, 10
OTHERS, MISSING = "(others)", "(missing)"


@dataclass(frozen=True)
class Levels:
    """Which level each row has.

    Attributes:
        of_row: shape (n,), 0 to k - 1, or -1 where the exposure is missing.
        names: k names, numbers rising, categories by falling number of rows and the others last.

    >>> Levels("numeric", np.array([0, 1, 0]), ("1", "2")).names
    ('1', '2')
    """

    kind: Kind
    of_row: Ints
    names: tuple[str, ...]


def levels(exposure: ArrayLike, kind: Kind | None = None) -> Levels:
    """Cut `(n,)` exposures: numbers are numeric and texts categorical unless `kind` says else.

    A number with more than 20 distinct values is cut into ten buckets of about equally many rows;
    of categories the 20 most frequent stand alone. NaN, None and NaT are missing.

    Raises:
        InputError: another shape, or texts that shall be numeric.

    >>> levels([3, 1, 3, np.nan])
    Levels(kind='numeric', of_row=array([ 1,  0,  1, -1]), names=('1', '3'))
    >>> levels(["top", "side", "top", None]).names
    ('top', 'side')
    """
    values = np.asarray(exposure)
    if values.ndim != 1:
        raise InputError(f"exposure has shape {values.shape}; give one value per clicked row")
    numbers = values.dtype.kind in "fiub"
    if kind == "numeric" and not numbers:
        raise InputError(
            f"exposure has dtype {values.dtype}, which is not numbers: give numbers, or "
            "kind='categorical'"
        )
    if numbers:
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.size, np.bool_)
    else:
        missing = np.array([one is None or one != one for one in values.tolist()], np.bool_)
    if kind == "numeric" or (kind is None and numbers):
        return _numeric(values.astype(np.float64), missing)
    return _categorical(values, missing)


def _numeric(values: Floats, missing: NDArray[np.bool_]) -> Levels:
    ordered = np.sort(values[~missing])
    of_row = np.full(values.size, -1)
    if not ordered.size:
        return Levels("numeric", of_row, ())
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if starts.size > DISTINCT:
        starts = np.array(bucket_starts(ordered, BUCKETS))
    of_row[~missing] = np.searchsorted(ordered[starts[1:]], values[~missing], side="right")
    lasts = ordered[np.append(starts[1:], ordered.size) - 1]
    names = (
        _number(low) if low == high else f"{_number(low)} to {_number(high)}"
        for low, high in zip(ordered[starts].tolist(), lasts.tolist(), strict=True)
    )
    return Levels("numeric", of_row, tuple(names))


def _categorical(values: NDArray[Any], missing: NDArray[np.bool_]) -> Levels:
    text = np.array([label(one) for one in values[~missing].tolist()], dtype=np.str_)
    found, number, count = np.unique(text, return_inverse=True, return_counts=True)
    order = np.argsort(-count, kind="stable")
    place = np.empty(found.size, np.int64)
    place[order] = np.arange(found.size)
    names = [str(one) for one in found[order[:DISTINCT]]]
    if found.size > DISTINCT:
        names.append(OTHERS)
    of_row = np.full(values.size, -1)
    of_row[~missing] = np.minimum(place[number], DISTINCT)
    return Levels("categorical", of_row, tuple(names))


def label(value: Any) -> str:
    """What a value is called: whole numbers without a fraction.

    >>> label(3.0), label(2.5), label("top")
    ('3', '2.5', 'top')
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def ctr_of_rows(
    ctr: Mapping[Any, float] | ArrayLike, exposure: ArrayLike, missing: NDArray[np.bool_]
) -> Floats:
    """The click rate of each row's exposure value, `(n,)`; 1 where the exposure is missing.

    Raises:
        InputError: a value without a rate, a rate outside (0, 1], or another number of rows.

    >>> ctr_of_rows({1: 0.2, 2: 0.1}, [2, 1], np.zeros(2, bool))
    array([0.1, 0.2])
    """
    values = np.asarray(exposure)
    if isinstance(ctr, Mapping):
        kept = values[~missing]
        found, number = np.unique(
            kept if kept.dtype.kind in "fiub" else kept.astype(np.str_), return_inverse=True
        )
        known = {_key(value): rate for value, rate in ctr.items()}
        without = [one for one in found.tolist() if _key(one) not in known]
        if without:
            raise InputError(
                f"ctr has no click rate for exposure {without[0]!r} ({len(without):,} of "
                f"{found.size:,} values have none): give the rate of every value that has clicks"
            )
        rates = np.ones(values.size)
        rates[~missing] = finite_vector("ctr", [known[_key(one)] for one in found.tolist()])[number]
    else:
        rates = finite_vector("ctr", np.where(missing, 1.0, np.asarray(ctr)), values.size)
    rates = in_range("ctr", rates, 0.0, 1.0).astype(np.float64)
    if np.any(rates == 0.0):
        raise InputError("ctr is 0 for an exposure with clicks: give clicks / impressions of it")
    return rates


def _key(value: Any) -> Any:
    """Numbers by value, whatever their type; anything else by its text."""
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    return str(value)


def ctr_of_levels(rates: Floats, cut: Levels, weight: Floats) -> Floats:
    """Clicks over impressions of each level, `(k,)`: so many clicks at rate r are clicks / r rows.

    >>> cut = Levels("numeric", np.array([0, 0, 1]), ("1 to 2", "3"))
    >>> ctr_of_levels(np.array([0.2, 0.1, 0.05]), cut, np.ones(3)).round(4)
    array([0.1333, 0.05  ])
    """
    here, k = cut.of_row >= 0, len(cut.names)
    clicks = np.bincount(cut.of_row[here], weight[here], k)
    impressions = np.bincount(cut.of_row[here], weight[here] / rates[here], k)
    found: Floats = clicks / impressions
    return found
