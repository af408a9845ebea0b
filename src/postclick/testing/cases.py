"""A method with every value of every option, found from the declared types."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.testing.batches import make_method

CLIPS = ((1e-15, 1 - 1e-7), (0.3, 0.6))  # as wide as allowed, and one that binds
# What is tried as the highest value of an option without one.
HIGH = 2.5


@dataclass(frozen=True)
class Case:
    """A method with options that differ from its `base` in the one called `option`."""

    method: type[Method[Any]]
    label: str
    options: dict[str, Any] = field(hash=False, default_factory=dict)
    base: dict[str, Any] = field(hash=False, default_factory=dict)
    option: str | None = None

    def __str__(self) -> str:
        return f"{self.method.name}-{self.label}"

    def make(self, **network: Any) -> Method[Any]:
        """The method in small, see `postclick.testing.make_method`."""
        return make_method(self.method, self.options, **network)


def option_values(name: str, annotation: Any, metadata: list[Any], default: Any) -> list[Any]:
    """Values to try for an option, from its declared type and bounds, interior ones too.

    >>> from pydantic import Field
    >>> option_values("share", float, Field(ge=0, le=1).metadata, 0.5)
    [0.0, 0.37, 1.0]
    """
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return [
            value
            for part in get_args(annotation)
            for value in (
                [None] if part is types.NoneType else option_values(name, part, metadata, default)
            )
        ]
    if annotation is bool:
        return [True, False]
    low = next((m.ge for m in metadata if hasattr(m, "ge")), None)
    low = next((m.gt + 0.01 for m in metadata if hasattr(m, "gt")), low)
    high = next((m.le for m in metadata if hasattr(m, "le")), HIGH)
    high = next((m.lt - 0.01 for m in metadata if hasattr(m, "lt")), high)
    if annotation is float and low is not None:
        return [float(low), _interior(low, high), float(high)]
    if annotation is int and low is not None:
        top = default if isinstance(default, int) else int(np.ceil(low)) + 2
        return list(range(int(np.ceil(low)), top + 1)) or [default]
    if get_origin(annotation) is tuple and Ellipsis in get_args(annotation):
        return [default]  # a list of things of its own, such as members
    if annotation == tuple[float, float] and name == "clip":
        return list(CLIPS)
    raise AssertionError(
        f"no values to try for option {name!r}: {annotation} with {metadata}: give a numeric "
        "option a lower bound, e.g. Field(default=1.0, ge=0)"
    )


def _interior(low: float, high: float) -> float:
    """A value within, no round fraction of the range: .37 of the way."""
    return round(low + 0.37 * (high - low), 12)


def accepted(method: type[Method[Any]], options: dict[str, Any]) -> bool:
    """Whether a method takes these options beside each other."""
    try:
        method.Config.parse(method.name, options)
    except InputError:
        return False
    return True


def cases_of(method: type[Method[Any]]) -> list[Case]:
    """Default, variants, presets, and every other value of every option.

    A value that is refused beside the defaults has to be accepted beside some variant.
    """
    found = [Case(method, "default")]
    found += [Case(method, f"variant:{v}", dict(o)) for v, o in method.variants.items()]
    found += [Case(method, f"preset:{p}", {"preset": p}) for p in method.Config.presets]
    bases = [{}, *method.variants.values()]
    for option, info in method.Config.model_fields.items():
        if option == "preset":
            continue
        default = info.get_default(call_default_factory=True)
        for value in option_values(option, info.annotation, info.metadata, default):
            if value == default:
                continue
            base = next((b for b in bases if accepted(method, {**b, option: value})), None)
            assert base is not None, (
                f"{method.name}: {option}={value!r} is refused with every variant"
            )
            rest = {k: v for k, v in base.items() if k != option}
            label = f"{option}={value}"
            found.append(Case(method, label, {**rest, option: value}, rest, option))
    return found
