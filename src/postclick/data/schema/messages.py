"""pydantic's errors as one line."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from postclick.suggest import meant


def first_message(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first problem of a pydantic error as 'place: problem', with a count of the rest.

    Args:
        model: what was validated, to tell which name an unknown setting was meant to be.
    """
    problems = error.errors(include_url=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        near = meant(first["loc"][-1], _names_at(model, first["loc"][:-1]))
        text = f"is not a known setting{near}: remove or correct it"
    elif first["type"] not in ("missing", "value_error") and not isinstance(first["input"], dict):
        text += f", found {first['input']!r}"
        if first["type"] == "literal_error":
            text += meant(first["input"], re.findall(r"'([^']*)'", first["ctx"]["expected"]))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}" if place else f"{text}{more}"


def _names_at(model: Any, place: Sequence[int | str]) -> Iterable[str]:
    """The settings that a model has at a place within it."""
    models = [model] if model is not None else []
    for part in place:
        if isinstance(part, str):
            fields = [found.model_fields[part] for found in models if part in found.model_fields]
            models = [found for field in fields for found in _models(field.annotation)]
    for found in models:
        # A network has the options of every backbone beside its own.
        yield from found.names() if hasattr(found, "names") else found.model_fields


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models within a type, such as those of `tuple[Numeric, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]
