"""A method's loss against an independent numpy implementation: values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.losses import row_weights
from postclick.methods.base import Labels, Outputs
from postclick.testing.batches import RATES
from postclick.testing.cases import Case

Array = NDArray[np.float64]
# reference(logits, click, conversion, frozen=logits, **options) -> {term: value}
Reference = Callable[..., Mapping[str, float]]
ROWS, STEP = 18, 1e-5
# How often each row counts, the second time: the reference is given so many copies of it.
COUNTS = (1, 3, 0, 2, 1, 1, 4, 2, 1, 0, 2, 3, 1, 1, 2, 5, 1, 2)
VALUE, DIFFERENCES = 1e-10, 1e-6


def equals_reference(case: Case, reference: Reference) -> int:
    """Values to 1e-10 and gradients to 1e-6, on random float64 logits and labels.

    Once with every row counted once, and once with whole row weights, for which the reference is
    given copies of the rows: it need not know of weights.

    `reference` is given each head's logits [n], click and conversion [n] and the options that are
    set. `frozen` holds the logits to take wherever the loss stops a gradient, so that finite
    differences of the rest are the gradient that training sees.
    """
    config = case.method.Config.parse(case.method.name, case.options)
    rng = np.random.default_rng(7)
    click = (rng.random(ROWS) < 0.5).astype(np.float64)
    conversion = click * (rng.random(ROWS) < 0.5)
    heads = case.method.all_heads(config, RATES)
    logits: dict[str, Array] = {head: rng.normal(size=ROWS) for head in heads}
    compared = 0
    for counts in (None, np.array(COUNTS)):
        rows = np.arange(ROWS) if counts is None else np.repeat(np.arange(ROWS), counts)
        fn = _of_copies(reference, rows, logits, click, conversion, dict(case.options))
        weight = None if counts is None else torch.from_numpy(counts.astype(np.float64))
        told = f"{case}" + ("" if counts is None else " with row weights")
        compared += _compared(case, config, fn, logits, click, conversion, weight, told)
    return compared


def _of_copies(
    reference: Reference,
    rows: NDArray[np.int64],
    frozen: Mapping[str, Array],
    click: Array,
    conversion: Array,
    options: dict[str, Any],
) -> Callable[[Mapping[str, Array]], Mapping[str, float]]:
    """The reference on copies of rows, as a function of the logits of one copy."""
    fixed = {head: z[rows] for head, z in frozen.items()}

    def terms(logits: Mapping[str, Array]) -> Mapping[str, float]:
        copies = {head: z[rows] for head, z in logits.items()}
        return reference(
            copies, click=click[rows], conversion=conversion[rows], frozen=fixed, **options
        )

    return terms


def _compared(
    case: Case,
    config: Any,
    fn: Callable[[Mapping[str, Array]], Mapping[str, float]],
    logits: Mapping[str, Array],
    click: Array,
    conversion: Array,
    weight: torch.Tensor | None,
    told: str,
) -> int:
    expected = dict(fn(logits))
    leaves = {name: torch.from_numpy(z.copy()).requires_grad_() for name, z in logits.items()}
    labels = Labels(torch.from_numpy(click), torch.from_numpy(conversion))
    with row_weights(weight):
        terms = case.method.terms(config, Outputs(dict(leaves)), labels)
    assert set(terms) == set(expected), (
        f"{told}: the loss has terms {sorted(terms)}, the reference {sorted(expected)}"
    )
    numeric = _differences(fn, logits)
    compared = 0
    for name, value in expected.items():
        found = terms[name].value
        assert found.dtype == torch.float64, f"{told}: term {name} is {found.dtype} on float64"
        _close(f"{told}: term {name}", found.item(), value, VALUE)
        slopes = torch.autograd.grad(
            found, list(leaves.values()), retain_graph=True, allow_unused=True
        )
        for (head, z), slope in zip(logits.items(), slopes, strict=True):
            ours = np.zeros_like(z) if slope is None else slope.numpy()
            _close(f"{told}: d {name} / d {head}", ours, numeric[name, head], DIFFERENCES)
            compared += 1
    return compared


def _differences(fn: Any, logits: Mapping[str, Array]) -> dict[tuple[str, str], Array]:
    """Central differences of every term in every logit."""
    found: dict[tuple[str, str], Array] = {}
    for head, z in logits.items():
        for row in range(z.size):
            values = []
            for sign in (1.0, -1.0):
                moved = z.copy()
                moved[row] += sign * STEP
                values.append(dict(fn({**logits, head: moved})))
            for name in values[0]:
                slope = (values[0][name] - values[1][name]) / (2 * STEP)
                found.setdefault((name, head), np.zeros_like(z))[row] = slope
    return found


def _close(what: str, found: Any, expected: Any, limit: float) -> None:
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    size = max(float(np.abs(expected).max(initial=0.0)), 0.01 if found.ndim else 0.0)
    gap = float(np.abs(found - expected).max(initial=0.0)) / (size or 1.0)
    assert gap <= limit, f"{what}: off by {gap:.1e} of the reference, allowed is {limit:g}"
