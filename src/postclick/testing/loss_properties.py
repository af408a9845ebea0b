"""What every loss has to keep. Each property returns how many things it has compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from postclick.losses import Terms, weighted_sum
from postclick.methods.base import Labels, Method
from postclick.testing.batches import (
    PATTERNS,
    dense,
    extreme_rows,
    make_batch,
    steps_of,
    with_logits,
)
from postclick.testing.cases import Case

EXTREME = (30.0, 100.0)
SPACES = ("clicked", "unclicked", "entire")


def assert_finite(method: Method[Any], terms: Terms, where: str) -> int:
    """Terms and the gradients of their weighted sum are finite, and there is a graph."""
    for name, term in terms.items():
        assert term.value.shape == (), f"{where}: term {name} is no scalar"
        assert torch.isfinite(term.value), f"{where}: term {name} is {term.value}"
    total = weighted_sum(terms)
    assert total.requires_grad, f"{where}: the loss has no gradient"
    method.zero_grad()
    total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(dense(parameter.grad)).all(), f"{where}: gradient of {name}"
    return len(terms)


def finite(case: Case, **network: Any) -> int:
    """No click, all clicks, no conversion, all conversions, one row, no row."""
    method, compared = case.make(**network), 0
    for pattern, labels in PATTERNS.items():
        batch = make_batch(*labels)
        for step in steps_of(method):
            outputs, terms = method.loss(batch, step)
            for head, logit in outputs.logits.items():
                assert logit.shape == (len(batch),), f"{pattern}: head {head} is {logit.shape}"
            compared += assert_finite(method, terms, f"{case} on {pattern}")
    return compared


def finite_at_extreme_logits(case: Case) -> int:
    """Every combination of logits +-30 and +-100 over the heads, with every label."""
    method = case.make()
    heads = len(method(make_batch([1], [0])).logits)
    columns, labels = extreme_rows(heads, EXTREME)
    batch = make_batch(labels.click.int().tolist(), labels.conversion.int().tolist())
    return _finite_terms(case, method, columns, batch)


def finite_at_random_logits(case: Case) -> int:
    """Random logits of any size, on batches of random labels."""
    method, rng, compared = case.make(), np.random.default_rng(0), 0
    heads = len(method(make_batch([1], [0])).logits)
    for _ in range(10):
        n = int(rng.integers(0, 7))
        click = rng.integers(0, 2, n)
        batch = make_batch(click.tolist(), (click * rng.integers(0, 2, n)).tolist())
        columns = [(rng.uniform(-100, 100, n)).tolist() for _ in range(heads)]
        compared += _finite_terms(case, method, columns, batch)
    return compared


def _finite_terms(case: Case, method: Method[Any], columns: list[list[float]], batch: Any) -> int:
    outputs, leaves = with_logits(method(batch), columns)
    terms = method.terms(method.config, outputs, Labels.of(batch))
    for name, term in terms.items():
        assert torch.isfinite(term.value), f"{case}: term {name} is {term.value}"
    total = weighted_sum(terms)
    for gradient in torch.autograd.grad(total, leaves, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all(), f"{case}: a gradient"
    return len(terms)


def blind_to_unclicked_conversions(case: Case) -> int:
    """Recorded conversions of unclicked rows change nothing: they mean nothing."""
    method, compared = case.make().eval(), 0
    click, conversion = PATTERNS["mixed"]
    everywhere = [v or 1 - c for c, v in zip(click, conversion, strict=True)]
    for step in steps_of(method):
        _, terms = method.loss(make_batch(click, conversion), step)
        _, noisy = method.loss(make_batch(click, everywhere), step)
        for name, term in terms.items():
            assert torch.equal(noisy[name].value, term.value), f"{case}: term {name}"
            compared += 1
    return compared


def trains_its_own_space(case: Case) -> int:
    """A term has no gradient on impressions outside of the space that it names."""
    method, compared = case.make().eval(), 0
    batch = make_batch(*PATTERNS["mixed"])
    rng = np.random.default_rng(1)
    columns = [rng.normal(size=len(batch)).tolist() for _ in method(batch).logits]
    outputs, leaves = with_logits(method(batch), columns)
    clicked = batch.click == 1
    for name, term in method.terms(method.config, outputs, Labels.of(batch)).items():
        named = set(term.space.replace(",", " ").split()) & set(SPACES)
        assert named, f"{case}: the space of term {name} names none of {', '.join(SPACES)}"
        outside = ~clicked if named == {"clicked"} else clicked
        whole = "entire" in named or len(named) == 2
        for gradient in _gradients(term.value, leaves):
            assert whole or not gradient[outside].any(), (
                f"{case}: term {name} says {term.space!r} and trains other impressions"
            )
        compared += 1
    return compared


def _gradients(value: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    if not value.requires_grad:
        return []
    found = torch.autograd.grad(value, leaves, retain_graph=True, allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


def the_same_in_any_loop(case: Case) -> int:
    """`loss_on` gives the terms of `Method.loss` from the same logits."""
    method = case.make().eval()
    batch = make_batch(*PATTERNS["mixed"])
    outputs = method(batch)
    terms = method.terms(method.config, outputs, Labels.of(batch))
    again = method.loss_on(
        outputs.logits, batch.click, batch.conversion, extra=outputs.extra, **case.options
    )
    assert again.keys() == terms.keys(), f"{case}: loss_on has other terms"
    for name, term in terms.items():
        assert torch.equal(again[name].value, term.value), f"{case}: term {name}"
        assert again[name][1:] == term[1:], f"{case}: term {name}"
    return len(terms)
