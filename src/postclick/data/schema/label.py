"""Click and conversion columns: 0/1, or a count, an amount or a time that says so."""

import re
from typing import Any, Literal

from pydantic import (
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from postclick.data.schema.strict import Strict

PRESENT = "present"
_RULE = re.compile(r"(>=|<=|==|!=|>|<)\s*(\S.*)")
Operator = Literal[">", ">=", "<", "<=", "==", "!="]


class Label(Strict):
    """A label and the column that it is read from.

    `positive` is None where the column itself is 0 or 1. Else it says when the label is 1:
    "present" where there is a value (a conversion time, say; what a mapping without `positive`
    means in a schema), or a comparison such as "> 0" (an amount, a count) or "== paid". A missing
    value is then 0.

    >>> Label(column="order_value", positive=">0").rule, Label(column="buy").rule
    (('>', '0'), None)
    """

    column: str
    positive: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("positive")
    @classmethod
    def _known_rule(cls, value: str | None) -> str | None:
        if value is None or value.strip() == PRESENT:
            return value and PRESENT
        match = _RULE.fullmatch(value.strip())
        if match is None:
            raise ValueError(
                f'{value!r} does not say when the label is 1: write a comparison such as "> 0" or '
                f'"== paid", or {PRESENT}'
            )
        operator, operand = match.groups()
        if operator not in ("==", "!=") and not is_number(operand):
            raise ValueError(f"{value!r} compares with no number: write one, as in '> 0'")
        return f"{operator} {operand.strip()}"

    @property
    def rule(self) -> tuple[Operator, str] | None:
        """Operator and operand of a comparison, else None."""
        if self.positive is None or self.positive == PRESENT:
            return None
        operator, operand = self.positive.split(" ", 1)
        return operator, operand  # type: ignore[return-value]

    @model_serializer(mode="wrap")
    def _plain(self, dump: SerializerFunctionWrapHandler) -> Any:
        return self.column if self.positive is None else dump(self)


def is_number(text: str) -> bool:
    """Whether a text is written as a number with a decimal point."""
    try:
        float(text)
    except ValueError:
        return False
    return True
