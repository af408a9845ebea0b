"""Models that refuse unknown keys, cannot be changed, and write no setting that is not used."""

from typing import Any, ClassVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)


class Strict(BaseModel):
    """A part of a schema.

    `_silent` names fields that are left out of what is written while they have their default, so
    that a schema that does not use them reads as it did before there were such.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    _silent: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = cast(dict[str, Any], dump(self))
        for name in self._silent:
            if getattr(self, name) == type(self).model_fields[name].default:
                data.pop(name, None)
        return data


class Feature(Strict):
    """A column that a model reads; its name alone is an entry too."""

    name: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value
