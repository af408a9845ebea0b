"""How the text of a log is written."""

import codecs
from typing import Any, Literal

from pydantic import Field, field_validator

from postclick.data.schema.strict import Strict

_SPELLED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class ReadSettings(Strict):
    """What text files of a log look like; what is None is told from the file's first lines.

    Attributes:
        separator: between columns, one character ("tab" is one too).
        decimal: what separates decimals, also in text columns of other files; a point where
            neither this nor the lines say otherwise.
        header: whether the first line names the columns; or their names, where no line does.
        encoding: any that Python knows, such as "utf-8", "utf-16" or "latin-1".

    >>> ReadSettings(separator="tab", header=["click", "buy"]).separator
    '\\t'
    """

    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | tuple[str, ...] | None = None
    encoding: str | None = Field(default=None, min_length=1)

    @field_validator("separator", mode="before")
    @classmethod
    def _one_character(cls, value: Any) -> Any:
        value = _SPELLED.get(value, value) if isinstance(value, str) else value
        if isinstance(value, str) and len(value.encode()) != 1:
            raise ValueError(f"separator {value!r} is not one character: write one, such as ';'")
        return value

    @field_validator("header", mode="before")
    @classmethod
    def _stripped_names(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(str(name).strip() for name in value)
        return value

    @field_validator("header")
    @classmethod
    def _different_names(cls, value: bool | tuple[str, ...] | None) -> Any:
        if isinstance(value, tuple):
            twice = next((name for name in value if value.count(name) > 1), None)
            if not value:
                raise ValueError("header names no column: name each column, or write false")
            if twice is not None:
                raise ValueError(f"header names {twice!r} twice: name each column once")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                codecs.lookup(value)
            except LookupError:
                raise ValueError(
                    f"encoding {value!r} is not known: write one such as utf-8, utf-16 or latin-1"
                ) from None
        return value


class SchemaReading(ReadSettings):
    """The settings of a schema, and which of its columns are lists.

    Attributes:
        lists: a comma in one of these columns parts elements, and says nothing of decimals.
    """

    lists: tuple[str, ...] = ()
