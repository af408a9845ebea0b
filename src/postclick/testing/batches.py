"""Tiny batches, the labels that are hardest on a loss, and small methods on them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from postclick.data.batch import Bag, Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.base import Labels, Method, Outputs, Step
from postclick.nn.config import NetworkConfig

FIELDS, BAGS, NUMERICS, DIM = (7, 5, 4), (6,), 2, 4
# One vector that is projected, and one that is taken as it is.
VECTORS: tuple[tuple[int, int | None], ...] = ((5, 3), (2, None))
INPUTS = InputSpec(FIELDS, BAGS, NUMERICS, vectors=VECTORS)
RATES = BaseRates(ctr=0.2, cvr=0.3)
TINY: dict[str, Any] = {
    "tower": (8, 6, 4),
    "experts": 3,
    "shared_experts": 4,
    "expert_width": 8,
    "deep": (8,),
    "attention": (5,),
}

# Click and recorded conversion of some impressions.
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


def make_batch(click: list[int], conversion: list[int], seed: int = 0) -> Batch:
    """Random features with these labels: three id columns, two numbers, a bag that may be empty,
    and two vectors, of which some are missing.

    >>> len(make_batch([1, 0], [1, 0]))
    2
    """
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
    numeric = [rng.normal(size=(n, NUMERICS))]
    for size, _ in VECTORS:
        numeric.append(rng.normal(size=(n, size)) * (rng.random((n, 1)) < 0.8))
    return Batch(
        torch.from_numpy(np.stack(ids, axis=1)),
        torch.from_numpy(np.concatenate(numeric, axis=1)).float(),
        (bag,),
        torch.tensor(click, dtype=torch.float32),
        torch.tensor(conversion, dtype=torch.float32),
    )


def make_method(
    method: type[Method[Any]],
    options: dict[str, Any] | None = None,
    *,
    seed: int = 0,
    inputs: InputSpec = INPUTS,
    **network: Any,
) -> Method[Any]:
    """A small method with seeded weights, in training mode; no dropout unless asked for.

    `network` are settings of the network, e.g. `backbone="mmoe"` or `dropout=0.3`.
    """
    config = NetworkConfig.parse({**TINY, "expert_dropout": 0.0, **network}, method.backbone)
    torch.manual_seed(seed)
    return method(method.Config.parse(method.name, options or {}), config, inputs, RATES, DIM)


def steps_of(method: Method[Any]) -> list[Step]:
    """Every step that a run of this method takes, each once."""
    return list(dict.fromkeys(step for phase in method.schedule(4) for step in phase.steps))


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


def dense(gradient: Tensor) -> Tensor:
    """A gradient without sparsity."""
    return gradient.to_dense() if gradient.is_sparse else gradient
