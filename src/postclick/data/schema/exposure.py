"""What moves clicks and not conversions: a position, a slot, a page."""

from typing import Any, ClassVar

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from postclick.data.schema.strict import Strict

# What is written for `at` where pCTR is averaged, which is the default.
AVERAGE = "average"


class Exposure(Strict):
    """A column whose values move clicks and do not move conversions; the click heads alone see it.

    It has a vocabulary, as a categorical feature has. It is no feature: scoring does not ask for
    it. What pCTR is then is decided by `at`: that of one value, or, where it is None or "average",
    the mean over the values as they were among the training impressions. `verbatim` as in
    `Categorical`.

    >>> Exposure.model_validate("position").at, Exposure(column="position", at=1).at
    (None, '1')
    """

    _silent: ClassVar[tuple[str, ...]] = ("at", "verbatim")

    column: str = Field(min_length=1)
    at: str | None = None
    verbatim: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("at", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """YAML reads 1 as a number and true as true."""
        if value is None or value == AVERAGE:
            return None
        plain = isinstance(value, str | bool | int | float)
        return str(value).lower() if isinstance(value, bool) else str(value) if plain else value

    @model_serializer(mode="wrap")
    def _plain(self, dump: SerializerFunctionWrapHandler) -> Any:
        dumped = self._without_unused(dump)
        return self.column if list(dumped) == ["column"] else dumped
