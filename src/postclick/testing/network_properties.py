"""What every method's network has to keep. Each property returns how much it has compared."""

from __future__ import annotations

import math
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from postclick.losses import weighted_sum
from postclick.methods.base import Method
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.heads import Head
from postclick.testing.batches import PATTERNS, RATES, dense, make_batch, steps_of
from postclick.testing.cases import Case

ROWS, SEEDS = 50, range(5)


def repeatable(case: Case) -> int:
    """The same seed gives the same loss, another seed another, with dropout too."""
    batch = make_batch(*PATTERNS["mixed"])

    def losses(seed: int) -> list[Tensor]:
        method = case.make(seed=seed, dropout=0.3, expert_dropout=0.3)
        return [weighted_sum(method.loss(batch, step)[1]) for step in steps_of(method)]

    first, again, other = losses(1), losses(1), losses(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), f"{case}: one seed"
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True)), (
        f"{case}: two seeds, one loss"
    )
    return len(first)


def saved_and_loaded(case: Case) -> int:
    """A saved and loaded model predicts the same, to the bit."""
    batch = make_batch(*PATTERNS["mixed"])
    method, other = case.make(seed=1).eval(), case.make(seed=2).eval()
    before = other.predict(batch)
    other.load_state_dict(load(save(method.state_dict())))
    expected, found = method.predict(batch), other.predict(batch)
    assert not torch.equal(before.cvr, expected.cvr), f"{case}: two seeds, one prediction"
    for a, b in zip(expected, found, strict=True):
        same = a is b is None or (a is not None and b is not None and torch.equal(a, b))
        assert same, f"{case}: prediction"
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), f"{case}: {name}"
    return len(expected)


def predicts_probabilities(case: Case, **network: Any) -> int:
    """pCTR, pCVR and pCTCVR lie in (0, 1), pCTCVR <= pCTR, and serving says what training says."""
    method = case.make(**network).eval()
    with torch.no_grad():
        batch = make_batch([0] * ROWS, [0] * ROWS)
        prediction = method.predict(batch)
        outputs = method(batch)
    ctr, cvr = prediction.ctr.double().sigmoid(), prediction.cvr.double().sigmoid()
    log_ctcvr = prediction.log_ctcvr
    ctcvr = ctr * cvr if log_ctcvr is None else log_ctcvr.double().exp()
    for name, values in (("pCTR", ctr), ("pCVR", cvr), ("pCTCVR", ctcvr)):
        assert values.shape == (ROWS,), f"{case}: {name} is {tuple(values.shape)}"
        assert ((values > 0) & (values < 1)).all(), f"{case}: {name} beyond (0, 1)"
    assert (ctcvr <= ctr).all(), f"{case}: pCTCVR above pCTR"
    # In so small a tower all units may be dead at the start, but not with every seed.
    varied = any(_spread(case.make(seed=seed, **network)) > 0 for seed in SEEDS)
    assert varied, f"{case}: pCTR is constant"
    # Serving runs fewer heads, and those say what they say in training.
    torch.testing.assert_close(prediction.ctr, method.serve(method.config, outputs).ctr)
    return 3 * ROWS


def _spread(method: Method[Any]) -> float:
    with torch.no_grad():
        return float(method.eval().predict(make_batch([0] * ROWS, [0] * ROWS)).ctr.std())


def heads_of(method: Method[Any]) -> dict[str, Head]:
    """All heads of a method by name, whichever of its networks they belong to."""
    found = [getattr(module, "heads", None) for module in method.modules()]
    networks = [heads for heads in found if isinstance(heads, torch.nn.ModuleDict)]
    heads = {name: head for named in networks for name, head in named.items()}
    return {name: head for name, head in heads.items() if isinstance(head, Head)}


def starts_at_base_rates(case: Case) -> int:
    """Every head's bias starts at the rate that the method states, so that two passes suffice."""
    method = case.make()
    stated = method.all_heads(method.config, RATES)
    heads = heads_of(method)
    for name, head in heads.items():
        start = torch.sigmoid(head.last.get_parameter("bias")).item()
        assert math.isclose(start, stated[name], rel_tol=1e-5), (
            f"{case}: head {name} starts at {start}, stated is {stated[name]}"
        )
    return len(stated)


def trains_every_parameter(case: Case) -> int:
    """With default options no parameter is without a gradient."""
    method = case.make()
    batch = make_batch(*PATTERNS["mixed"])
    for step in steps_of(method):
        weighted_sum(method.loss(batch, step)[1]).backward()  # type: ignore[no-untyped-call]
    idle = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle, f"{case}: never trained: {', '.join(idle)}"
    return len(list(method.parameters()))


def every_term_trains_embeddings(case: Case) -> int:
    """Each term reaches an embedding table, but those that the contract says are flat at first."""
    method = case.make()
    batch = make_batch(*PATTERNS["mixed"])
    tables = [m.table for m in method.modules() if isinstance(m, FeatureEmbedding)]
    terms = method.loss(batch)[1]
    for name, term in terms.items():
        found = torch.autograd.grad(term.value, tables, retain_graph=True, allow_unused=True)
        reached = any((dense(gradient) != 0).any() for gradient in found if gradient is not None)
        flat = name in method.contract.flat_at_start
        assert reached != flat, f"{case}: term {name} {'reaches' if flat else 'misses'} the tables"
    return len(terms)
