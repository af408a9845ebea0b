"""What an exposure may and may not move. The property returns how much it has compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from postclick.data.batch import Batch
from postclick.data.exposure_values import ExposureValues
from postclick.losses import weighted_sum
from postclick.methods.base import Method
from postclick.methods.exposed import JOINT, table_name
from postclick.nn.exposure import GAIN
from postclick.testing.batches import INPUTS, PATTERNS, dense, make_batch, steps_of
from postclick.testing.cases import Case

# Id 0 was in no training row; the second value is clicked more than the third.
VALUES = ExposureValues((0.0, 0.5, 0.3, 0.2), (0.0, 0.7, -0.4, -1.1))
EXPOSED = replace(INPUTS, exposure=VALUES)
EXTREME = 30.0


def exposed_batch(pattern: str = "mixed") -> Batch:
    """A tiny batch with exposures, an unseen one among them.

    >>> exposed_batch().exposure
    tensor([3, 2, 1, 0, 3, 2, 1, 0])
    """
    batch = make_batch(*PATTERNS[pattern])
    return replace(batch, exposure=(3 - torch.arange(len(batch))) % 4)


def exposure_moves_clicks_alone(case: Case) -> int:
    """No head but those of clicks (and pCTCVR, which has pCTR in it) depends on the exposure.

    Everything else starts as it does without one, pCVR is the same whatever the exposure, to the
    bit, a step that trains a click head trains its exposures, and losses stay finite where an
    exposure decides every click.
    """
    return _of_network(case) + _of_predictions(case) + _of_training(case) + _finite(case)


def _of_network(case: Case) -> int:
    method, plain = case.make(inputs=EXPOSED), case.make()
    tables = exposure_tables(method)
    start = {n: p for n, p in method.state_dict().items() if not n.startswith("exposure.")}
    assert start.keys() == plain.state_dict().keys(), f"{case}: other parameters"
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, start[name]), f"{case}: {name} starts otherwise"
    logits = method(exposed_batch()).logits
    for head, logit in logits.items():
        known = list(tables.values())
        found = torch.autograd.grad(logit.sum(), known, retain_graph=True, allow_unused=True)
        own = {table_name(head)} if head in _click_heads(method) else set()
        own |= {table_name("ctr")} if head == JOINT else set()
        for name, gradient in zip(tables, found, strict=True):
            reached = gradient is not None and bool((dense(gradient) != 0).any())
            assert reached == (name in own), f"{case}: head {head} and {name}"
    return len(logits)


def _of_predictions(case: Case) -> int:
    method = case.make(inputs=EXPOSED).eval()
    batch = exposed_batch()
    one, other, unknown = (
        method.predict(replace(batch, exposure=ids))
        for ids in (batch.exposure, torch.full_like(batch.click, 2).long(), None)
    )
    for found in (other, unknown):
        assert torch.equal(one.cvr, found.cvr), f"{case}: pCVR depends on the exposure"
        assert not torch.equal(one.ctr, found.ctr), f"{case}: pCTR does not"
    tables = list(exposure_tables(method).values())
    gradients = (
        torch.autograd.grad(one.cvr.sum(), tables, retain_graph=True, allow_unused=True)
        if one.cvr.requires_grad
        else []
    )
    assert all(g is None or not dense(g).any() for g in gradients), f"{case}: gradient of pCVR"
    served = method.serve(method.config, method(batch))
    torch.testing.assert_close(one.ctr, served.ctr)
    return 2 * len(batch)


def _of_training(case: Case) -> int:
    """Each table is trained by the steps that train its head, and by no other."""
    method = case.make(inputs=EXPOSED)
    compared = 0
    for step in steps_of(method):
        trained = dict(method.trained(step))
        for head in _click_heads(method):
            name = table_name(head)
            own = [n for n in trained if head in n.split(".") and n != name]
            assert (name in trained) == bool(own), f"{case}: step {step.name} and {name}"
            compared += 1
    return compared


def _finite(case: Case) -> int:
    method = case.make(inputs=EXPOSED)
    compared = 0
    with torch.no_grad():
        for table in exposure_tables(method).values():
            signs = torch.tensor([1.0, 1.0, -1.0, -1.0]).unsqueeze(1)
            table.copy_(EXTREME / GAIN * signs)
    for pattern in ("mixed", "no_click", "all_clicks", "no_row"):
        batch = exposed_batch(pattern)
        for step in steps_of(method):
            method.zero_grad()
            loss = weighted_sum(method.loss(batch, step)[1])
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            grown = [p.grad for p in method.parameters() if p.grad is not None]
            finite = all(bool(dense(gradient).isfinite().all()) for gradient in grown)
            assert bool(loss.isfinite()) and finite, f"{case}: {pattern}, step {step.name}"  # noqa: PT018
            compared += 1
    return compared


def exposure_tables(method: Method[Any]) -> dict[str, torch.Tensor]:
    """Each table of a method's exposures by the name of its parameter."""
    return {
        table_name(head): dict(method.named_parameters())[table_name(head)]
        for head in _click_heads(method)
    }


def _click_heads(method: Method[Any]) -> tuple[str, ...]:
    assert method.exposure is not None
    return method.exposure.heads
