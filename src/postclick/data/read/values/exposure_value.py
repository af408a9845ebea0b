"""A value of the exposure as somebody writes it, and its id."""

import polars as pl

from postclick.data.read.values.canonical_text import read_text
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import AVERAGE, LogSchema
from postclick.errors import InputError
from postclick.suggest import meant

SHOWN = 8  # values that a message names


def exposure_id(schema: LogSchema, at: str | None, known: pl.Series) -> int | None:
    """The id of the value `at` of a schema's exposure, None for the average.

    Args:
        known: the values of its vocabulary, of the ids from 1.

    Raises:
        InputError: the value is not among them.

    >>> schema = LogSchema.parse(
    ...     {"click": "c", "conversion": "v", "categorical": ["shop"], "exposure": "slot"})
    >>> exposure_id(schema, "2.0", pl.Series(["1", "2"])), exposure_id(schema, None, pl.Series())
    (2, None)
    """
    if at is None or at == AVERAGE:
        return None
    text = exposure_text(schema, at)
    values: list[str] = known.to_list()
    if text not in values:
        column = "" if schema.exposure is None else f" of {schema.exposure.column!r}"
        more = ", ..." if len(values) > SHOWN else ""
        raise InputError(
            f"exposure at {at!r}: the training rows have no such value{column}{meant(at, values)}: "
            f"give one of {', '.join(values[:SHOWN])}{more}, or {AVERAGE}"
        )
    return values.index(text) + 1


def exposure_text(schema: LogSchema, at: str | None) -> str | None:
    """A value as the exposure's vocabulary has it, or "average"; None where it is a missing one.

    >>> schema = LogSchema.parse(
    ...     {"click": "c", "conversion": "v", "categorical": ["shop"], "exposure": "slot"})
    >>> exposure_text(schema, "2.0"), exposure_text(schema, None)
    ('2', 'average')
    """
    if at is None or at == AVERAGE:
        return AVERAGE
    verbatim = schema.exposure is not None and schema.exposure.verbatim
    found: str | None = read_text(pl.Series([at]), ValueRules.of(schema), verbatim=verbatim).text[0]
    return found
