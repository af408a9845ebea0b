"""Python values from JSON as columns of one type each, and what no column may hold."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from postclick.data.read.values.lists import rebuild
from postclick.serving.http.refusal import Refusal, quoted

_KINDS = {
    str: "text",
    bool: "true/false",
    int: "integers",
    float: "numbers",
    list: "lists",
    dict: "objects",
}
_ONE_TYPE = {str: pl.String, bool: pl.Boolean}


def to_series(name: str, values: list[Any]) -> pl.Series:
    """A column: text, integers, numbers, true/false, or lists of one of them; null is missing.

    Raises:
        Refusal: it mixes types, nests, or has a number that no column can hold (422).

    >>> to_series("price", [3, 2.5, None]).to_list()
    [3.0, 2.5, None]
    >>> to_series("history", [["a", "b"], [], None]).dtype
    List(String)
    """
    if list not in set(map(type, values)):
        return _flat(name, values)
    if any(value is not None and type(value) is not list for value in values):
        raise _wrong(name, "mixes lists with other values: send a list, or null, in every row")
    lists: list[list[Any]] = [value or [] for value in values]
    flat = _flat(name, list(chain.from_iterable(lists)))
    if flat.dtype == pl.Null:
        flat = flat.cast(pl.String)
    offsets = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in lists], out=offsets[1:])
    return rebuild(flat, offsets)


def check_all_finite(frame: pl.DataFrame) -> None:
    """`check_finite` of each column, at once for numbers.

    Raises:
        Refusal: one has NaN or infinity (422).
    """
    numbers, total = [], 0.0
    for column in frame.get_columns():
        kind = column.dtype
        if isinstance(kind, pl.List):
            check_finite(column)
        elif kind in (pl.Float32, pl.Float64):
            numbers.append(column)
            total += float(column.sum())
    # The sum of a finite column may be infinite.
    if not math.isfinite(total):
        for column in numbers:
            check_finite(column)


def check_finite(column: pl.Series) -> None:
    """Refuse NaN and infinity, in lists as well.

    Raises:
        Refusal: one is there (422).
    """
    values = column
    if isinstance(column.dtype, pl.List):
        if not column.dtype.inner.is_float():
            return
        values = column.explode(empty_as_null=False, keep_nulls=False)
    # A sum is NaN or infinite if a value is; also for values that are finite but very large.
    if not values.dtype.is_float() or math.isfinite(float(values.sum())):
        return
    bad = (~values.is_finite()).fill_null(False)
    if bool(bad.any()):
        value = values.filter(bad)[0]
        where = f" (row {bad.arg_max()})" if values is column else ""
        raise _wrong(column.name, f"has {value}{where}: send null for a missing number")


def _flat(name: str, values: Sequence[Any]) -> pl.Series:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Series(name, values, dtype=pl.Null)
    if kinds == {int}:
        return _integers(name, values)
    if kinds <= {int, float}:
        return _numbers(name, values)
    kind = next(iter(kinds))
    if len(kinds) == 1 and kind in _ONE_TYPE:
        return pl.Series(name, values, dtype=_ONE_TYPE[kind])
    if kinds & {list, dict}:
        raise _wrong(name, "holds nested values: send one value, or one list of values, in a row")
    found = " and ".join(sorted(_KINDS[kind] for kind in kinds))
    raise _wrong(name, f"mixes {found}: send values of one type")


def _integers(name: str, values: Sequence[Any]) -> pl.Series:
    for dtype in (pl.Int64, pl.UInt64):
        try:
            return pl.Series(name, values, dtype=dtype)
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            continue
    raise _wrong(name, "has an integer that does not fit in 64 bits: send ids that long as text")


def _numbers(name: str, values: Sequence[Any]) -> pl.Series:
    try:
        numbers = [None if value is None else float(value) for value in values]
    except OverflowError:
        raise _wrong(name, "has a number that is too large: send one below 1e308") from None
    rounded = next((v for v in values if type(v) is int and int(float(v)) != v), None)
    if rounded is not None:
        if all(number is None or number.is_integer() for number in numbers):
            return _integers(name, [None if value is None else int(value) for value in values])
        raise _wrong(name, f"has {rounded} among decimals, which round it: send it as text")
    column = pl.Series(name, numbers, dtype=pl.Float64)
    check_finite(column)
    return column


def _wrong(name: str, message: str) -> Refusal:
    return Refusal(422, f"column {quoted(name)} {message}", "content")
