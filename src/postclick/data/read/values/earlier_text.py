"""Categories as text before values had one form, for vocabularies that were written so."""

import polars as pl

from postclick.data.read.values.not_one_value import not_one_value
from postclick.errors import InputError

_MISSING = ("", "NULL", "null", "NaN", "nan")


def earlier_text(column: pl.Series) -> pl.Series:
    """Text as it was written, but for zeros behind the point of whole numbers.

    Raises:
        InputError: the column holds lists, records, bytes or durations.

    >>> earlier_text(pl.Series(["5.0", " 0", "2.50", "1e3", "True", "N/A", "null"])).to_list()
    ['5', ' 0', '2.50', '1e3', 'True', 'N/A', None]
    >>> earlier_text(pl.Series([7.0, 2.5, -0.0, float("nan")])).to_list()
    ['7', '2.5', '-0', None]
    """
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration):
        raise InputError(f"column {column.name!r} {not_one_value(kind, column.name)}")
    text = column.cast(pl.String)
    if kind.is_integer() or kind == pl.Boolean:
        return text
    text = text.str.replace(r"^(-?\d+)\.0+$", "${1}")
    return text.set(text.is_in(_MISSING).fill_null(False), None)
