"""Methods by name on the tiny batches of `postclick.testing`."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from postclick.data.prepared import InputSpec
from postclick.losses import Terms
from postclick.methods import BATCH_METHODS, METHODS, Labels, Method
from postclick.nn.backbones import BACKBONES as REGISTERED
from postclick.testing import PATTERNS, make_batch
from postclick.testing import make_method as make
from postclick.testing.batches import (
    FIELDS,
    INPUTS,
    RATES,
    TINY,
    dense,
    extreme_rows,
    steps_of,
    with_logits,
)
from postclick.testing.cases import CLIPS, Case, cases_of, option_values

__all__ = [
    "BACKBONES",
    "CASES",
    "CLIPS",
    "FIELDS",
    "INPUTS",
    "PATTERNS",
    "RATES",
    "TINY",
    "Case",
    "dense",
    "extreme_rows",
    "make_batch",
    "make_method",
    "option_values",
    "steps_of",
    "values",
    "weights_of",
    "with_logits",
]
BACKBONES = tuple(REGISTERED)
CASES = [case for method in BATCH_METHODS.values() for case in cases_of(method)]


def make_method(
    name: str,
    options: dict[str, Any] | None = None,
    backbone: str = "auto",
    *,
    seed: int = 0,
    inputs: InputSpec = INPUTS,
    **network: Any,
) -> Method[Any]:
    """The method called `name`, see `postclick.testing.make_method`."""
    return make(METHODS[name], options, seed=seed, inputs=inputs, backbone=backbone, **network)


def values(terms: Terms) -> dict[str, Tensor]:
    """The unweighted values of terms."""
    return {name: term.value for name, term in terms.items()}


def weights_of(method: Method[Any]) -> dict[str, float]:
    """The weight of every term, those of weight 0 too."""
    batch = make_batch(*PATTERNS["mixed"])
    terms = method.terms(method.config, method(batch), Labels.of(batch))
    return {name: term.weight for name, term in terms.items()}
