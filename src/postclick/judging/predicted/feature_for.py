"""Which kind of feature a column of a log is."""

from __future__ import annotations

import polars as pl

from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError
from postclick.judging.predicted.features import TOP, Category, Feature, Number
from postclick.judging.predicted.undecided_feature import Undecided, has_words
from postclick.spelling import option


def feature_for(
    name: str,
    column: pl.Series,
    rules: ValueRules,
    *,
    numeric: bool | None = None,
    top: int = TOP,
    asked: str = "by",
) -> Feature:
    """How a feature is read: by the schema, else by its type, else as all of its rows show.

    Args:
        column: its first rows.
        numeric: what a schema says of it, None where there is none.
        asked: the option that names it.

    Raises:
        InputError: it holds several values for each row.

    >>> rules = ValueRules()
    >>> kinds = []
    >>> for values in ([1, 2], [0.5, 2.0], ["1.5", "2"], ["1.5", "x"], [1.0, None]):
    ...     feature = feature_for("x", pl.Series(values), rules)
    ...     read, segments = feature.read(pl.Series(values)), feature.settle()
    ...     kinds.append(feature.kind)
    >>> kinds
    ['categorical', 'numeric', 'numeric', 'categorical', 'categorical']
    """
    dtype = column.dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        raise InputError(
            f"feature {name!r} holds {dtype}, not one value per row: give {option(asked)} another"
        )
    if numeric is not None:
        return Number(name, rules) if numeric else Category(name, rules, top, asked)
    if dtype == pl.String and has_words(column, rules):
        return Category(name, rules, top, asked)  # whatever the other rows are
    if dtype.is_float() or dtype.is_decimal() or dtype == pl.String:
        return Undecided(name, rules, top, asked)
    return Category(name, rules, top, asked)
