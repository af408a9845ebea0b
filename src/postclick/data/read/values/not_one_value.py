"""What to say of a column that has no single value per row."""

import polars as pl


def not_one_value(kind: pl.DataType, name: str) -> str:
    """What a column of this type holds, and the mend.

    >>> print(not_one_value(pl.Struct({"os": pl.String}), "device"))
    holds records, not one value per row: name a field of it, such as 'device.os', or take it out \
of the schema
    """
    made, leave = "where the log is made", "or take it out of the schema"
    if isinstance(kind, pl.Struct):
        field = kind.fields[0].name if kind.fields else "field"
        return (
            f"holds records, not one value per row: name a field of it, such as "
            f"'{name}.{field}', {leave}"
        )
    if kind == pl.Binary:
        return f"holds binary values that are no text: cast it to text {made}, {leave}"
    inner = kind.inner if isinstance(kind, pl.List | pl.Array) else None
    if kind == pl.Object or (inner is not None and inner.is_nested()):
        what = "Python objects" if inner is None else "lists of records or of lists, or a map"
        return f"holds {what}, not one value per row: cast it to text {made}, {leave}"
    mend = "list it under multi" if inner is not None else "cast it to text"
    return f"holds {kind}, not one value per row: {mend}, {leave}"
