"""Every method with every option, discovered from the registry, on tiny batches.

A new method or option is found here without being named. An option whose type is not known
fails at collection, so that it cannot escape.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from postclick.data.batch import Bag, Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.errors import InputError
from postclick.methods import METHODS, Labels, Method, Outputs
from postclick.methods.base import Step, Terms
from postclick.nn.backbones import BACKBONES as REGISTERED
from postclick.nn.config import NetworkConfig

FIELDS, BAGS, NUMERICS, DIM = (7, 5, 4), (6,), 2, 4
INPUTS = InputSpec(FIELDS, BAGS, NUMERICS)
RATES = BaseRates(ctr=0.2, cvr=0.3)
BACKBONES = tuple(REGISTERED)
CLIPS = ((1e-15, 1 - 1e-7), (0.3, 0.6))  # as wide as allowed, and one that binds
# Towers this narrow begin with no live ReLU once in twenty seeds on any backbone; with these sizes
# none of seed 0 does.
TINY = {
    "tower": (8, 6, 4),
    "experts": 3,
    "expert_width": 8,
    "shared_experts": 4,
    "deep": (8,),
    "attention": (5,),
}


def make_method(
    name: str,
    options: dict[str, Any] | None = None,
    backbone: str = "auto",
    *,
    seed: int = 0,
    inputs: InputSpec = INPUTS,
    **network: Any,
) -> Method[Any]:
    """A small method with seeded weights, in training mode; no dropout unless asked for."""
    config = NetworkConfig.model_validate(
        {**TINY, "backbone": backbone, "expert_dropout": 0.0, **network}
    )
    method = METHODS[name]
    torch.manual_seed(seed)
    return method(method.Config.parse(name, options or {}), config, inputs, RATES, DIM)


def make_batch(click: list[int], conversion: list[int], seed: int = 0) -> Batch:
    """Random features (some bags empty) with the given labels."""
    n, rng = len(click), np.random.default_rng(seed)
    first = np.cumsum([0, *FIELDS, *BAGS])
    ids = [first[k] + rng.integers(0, size, n) for k, size in enumerate(FIELDS)]
    counts = rng.integers(0, 4, n)
    total = int(counts.sum())
    bag = Bag(
        torch.from_numpy(first[len(FIELDS)] + rng.integers(0, BAGS[0], total)),
        torch.from_numpy(np.cumsum([0, *counts])[:-1].astype(np.int64)),
        torch.from_numpy(rng.random(total)).float(),
    )
    return Batch(
        torch.from_numpy(np.stack(ids, axis=1)),
        torch.from_numpy(rng.normal(size=(n, NUMERICS))).float(),
        (bag,),
        torch.tensor(click, dtype=torch.float32),
        torch.tensor(conversion, dtype=torch.float32),
    )


PATTERNS: dict[str, tuple[list[int], list[int]]] = {
    "mixed": ([1, 0, 1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 0, 1, 0, 0]),
    "no_click": ([0] * 5, [0] * 5),
    "all_clicks": ([1] * 5, [1, 0, 0, 1, 0]),
    "no_conversion": ([1, 0, 1, 0, 0], [0] * 5),
    "all_conversions": ([1] * 5, [1] * 5),
    "one_row_not_clicked": ([0], [0]),
    "one_row_clicked": ([1], [0]),
    "one_row_converted": ([1], [1]),
    "no_row": ([], []),
}


@dataclass(frozen=True)
class Case:
    """A method with options that differ from its `base` in the one called `option`."""

    method: str
    label: str
    options: dict[str, Any] = field(hash=False, default_factory=dict)
    base: dict[str, Any] = field(hash=False, default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method}-{self.label}"

    def make(self, backbone: str = "auto", **network: Any) -> Method[Any]:
        return make_method(self.method, self.options, backbone, **network)


def option_values(name: str, annotation: Any, metadata: list[Any], default: Any) -> list[Any]:
    """Values to try for an option, from its declared type and bounds."""
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
    high = next((m.le for m in metadata if hasattr(m, "le")), 2.5)
    high = next((m.lt - 0.01 for m in metadata if hasattr(m, "lt")), high)
    if annotation is float and low is not None:
        return [low, high]
    if annotation is int and low is not None:
        return list(range(int(np.ceil(low)), default + 1)) or [default]
    if annotation == tuple[float, float] and name == "clip":
        return list(CLIPS)
    raise AssertionError(f"no values to test option {name!r}: {annotation} with {metadata}")


def accepted(method: type[Method[Any]], options: dict[str, Any]) -> bool:
    try:
        method.Config.parse(method.name, options)
    except InputError:
        return False
    return True


def cases_of(method: type[Method[Any]]) -> list[Case]:
    """Default, variants, presets, and every other value of every option.

    A value that is refused beside the defaults has to be accepted beside some variant.
    """
    name = method.name
    found = [Case(name, "default")]
    found += [Case(name, f"variant:{v}", dict(o)) for v, o in method.variants.items()]
    found += [Case(name, f"preset:{p}", {"preset": p}) for p in method.Config.presets]
    bases = [{}, *method.variants.values()]
    for option, info in method.Config.model_fields.items():
        if option == "preset":
            continue
        for value in option_values(option, info.annotation, info.metadata, info.default):
            if value == info.default:
                continue
            base = next((b for b in bases if accepted(method, {**b, option: value})), None)
            assert base is not None, f"{name}: {option}={value!r} is refused with every variant"
            rest = {k: v for k, v in base.items() if k != option}
            found.append(Case(name, f"{option}={value}", {**rest, option: value}, rest))
    return found


CASES = [case for method in METHODS.values() for case in cases_of(method)]


def extreme_rows(heads: int, sizes: tuple[float, ...]) -> tuple[list[list[float]], Labels]:
    """All combinations of +-size over the heads, with each possible label."""
    values = [sign * size for size in sizes for sign in (-1.0, 1.0)]
    labels = ((0, 0), (1, 0), (1, 1))
    rows = [(z, c, v) for z in product(values, repeat=heads) for c, v in labels]
    logits = [list(column) for column in zip(*(z for z, _, _ in rows), strict=True)]
    click, conversion = (
        torch.tensor(x, dtype=torch.float32)
        for x in zip(*((c, v) for _, c, v in rows), strict=True)
    )
    return logits, Labels(click, conversion)


def with_logits(outputs: Outputs, columns: list[list[float]]) -> tuple[Outputs, list[Tensor]]:
    """The same outputs with every head's logits replaced by leaves."""
    leaves = [torch.tensor(column, requires_grad=True) for column in columns]
    return Outputs(dict(zip(outputs.logits, leaves, strict=True)), outputs.extra), leaves


def steps_of(method: Method[Any]) -> list[Step]:
    """Every step that a run of this method takes, each once."""
    return list(dict.fromkeys(step for phase in method.schedule(4) for step in phase.steps))


def total_loss(method: Method[Any], terms: Terms) -> Tensor:
    weights = method.weights()
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def dense(gradient: Tensor) -> Tensor:
    return gradient.to_dense() if gradient.is_sparse else gradient
