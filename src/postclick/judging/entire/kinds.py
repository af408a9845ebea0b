"""Which features are categories, which are numbers, and which may be either."""

from collections.abc import Collection
from typing import Literal

import polars as pl

from postclick.errors import InputError
from postclick.suggest import meant

# A whole number may be an id, a code or a count: it is read in both ways.
Kind = Literal["category", "number", "both"]
Kinds = dict[str, Kind]
# Types that a column of numbers may have beside those of numbers.
NO_VALUES = (pl.Boolean, pl.Null)


def feature_kinds(
    schema: pl.Schema,
    features: Collection[str] | None = None,
    *,
    categorical: Collection[str] = (),
    numeric: Collection[str] = (),
) -> Kinds:
    """The kind of each feature: text, booleans and enums are categories, floats numbers.

    `features` are all columns without; those named in `categorical` and `numeric` are what they
    are said to be.

    Raises `InputError` for columns that are not there or named twice, and types that are neither,
    such as dates and lists.

    >>> frame = pl.DataFrame({"shop": ["a"], "price": [1.5], "visits": [3]})
    >>> feature_kinds(frame.schema, numeric=["visits"])
    {'shop': 'category', 'price': 'number', 'visits': 'number'}
    """
    chosen = list(schema) if features is None else list(features)
    for name in (*chosen, *categorical, *numeric):
        if name not in schema:
            told = ", ".join(schema)
            raise InputError(
                f"no column is called {name!r}{meant(name, schema)}; there are: {told}"
            )
    twice = sorted(set(categorical) & set(numeric))
    if twice:
        raise InputError(f"{twice[0]!r} is named as a category and as a number; name it once")
    if not chosen:
        raise InputError("there are no features; name one column or more")
    kinds: Kinds = {}
    for name in chosen:
        kinds[name] = _kind(name, schema[name])
        if name in categorical:
            kinds[name] = "category"
        if name in numeric:
            if not schema[name].is_numeric() and schema[name] not in NO_VALUES:
                raise InputError(f"{name!r} is {schema[name]}, no number; name it as categorical")
            kinds[name] = "number"
    return kinds


def _kind(name: str, dtype: pl.DataType) -> Kind:
    if dtype.is_integer():
        return "both"
    if dtype.is_float() or dtype.is_decimal():
        return "number"
    if dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null):
        return "category"
    raise InputError(
        f"{name!r} is {dtype}, which is neither a category nor a number; leave it out of the "
        "features, or give it as one of these"
    )


def typed_features(kinds: Kinds, frame: pl.DataFrame) -> pl.DataFrame:
    """The features of a frame in their order: categories as text, numbers as Float64.

    Raises `InputError` where one is missing, or is no number that was one in the first frame.

    >>> frame = pl.DataFrame({"a": [1], "b": [2], "c": [True]})
    >>> typed_features({"b": "number", "c": "category"}, frame).row(0)
    (2.0, 'true')
    """
    found = []
    for name, kind in kinds.items():
        if name not in frame.columns:
            raise InputError(
                f"this frame has no column {name!r}, which those before had; give the same "
                "features with every frame"
            )
        values = frame[name]
        if kind == "category":
            found.append(values.cast(pl.String))
        elif kind == "number" and (values.dtype.is_numeric() or values.dtype in NO_VALUES):
            found.append(values.cast(pl.Float64))
        elif values.dtype.is_integer():
            found.append(values)
        elif values.dtype == pl.Null:
            found.append(values.cast(pl.Int64))
        else:
            raise InputError(
                f"{name!r} is {values.dtype} in this frame and was another type before; give the "
                "same types with every frame"
            )
    return pl.DataFrame(found)
