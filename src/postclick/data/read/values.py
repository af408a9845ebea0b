"""Times as numbers that can be compared."""

import polars as pl

from postclick.data.read.bad_values import BadValues


def to_time(column: pl.Series) -> tuple[pl.Series, BadValues]:
    """Times as Float64 that can be compared: dates as microseconds, numbers as they are.

    >>> to_time(pl.Series("t", ["1970-01-01 00:00:01", "soon"]))[0].to_list()
    [1000000.0, None]
    """
    kind = column.dtype
    if kind.is_temporal():
        number = column.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64)
    elif kind == pl.String:
        number = column.cast(pl.Float64, strict=False)
        if number.null_count() > column.null_count():
            try:
                moment = column.str.to_datetime(time_unit="us", strict=False)
                number = moment.cast(pl.Int64).cast(pl.Float64)
            except pl.exceptions.ComputeError:  # no format fits any row
                number = pl.Series([None] * len(column), dtype=pl.Float64)
    else:
        number = column.cast(pl.Float64)
    return number, BadValues.of(column, number.is_null() & column.is_not_null())
