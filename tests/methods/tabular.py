"""Where a method's terms settle on a table of cells with known probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from postclick.losses import expectation, weighted_sum
from postclick.methods import METHODS, Labels, Outputs

from .helpers import RATES

# Many impressions: the size of a subset is taken as 1 at the least.
IMPRESSIONS = 1e9
OUTCOMES = ((1.0, 1.0), (1.0, 0.0), (0.0, 0.0))


class Settled(NamedTuple):
    """Mean pCVR over truth, the largest gradient left, and all logits, one per cell."""

    ratio: float
    slope: float
    logits: dict[str, Tensor]


def settle(
    name: str, heads: Sequence[str], terms: Sequence[str] = (), *, steps: int = 100, **options: Any
) -> Settled:
    """Optimise the logits of `heads` on `terms` (by default all); other heads know the truth.

    Cells are values of u ~ N(0, 1) with CTR logit -3.2 + 1.2 u and CVR logit -2.5 + u.
    """
    u = torch.linspace(-4, 4, 81, dtype=torch.float64)
    share = torch.exp(-u.square() / 2) / torch.exp(-u.square() / 2).sum()
    true_ctr, true_cvr = -3.2 + 1.2 * u, -2.5 + u
    p, r = true_ctr.sigmoid(), true_cvr.sigmoid()
    chances = (p * r, p * (1 - r), 1 - p)
    counts = IMPRESSIONS * torch.cat([share * chance for chance in chances])
    click, conversion = (
        torch.cat([torch.full_like(u, outcome[k]) for outcome in OUTCOMES]) for k in (0, 1)
    )
    truth = {"ctr": true_ctr, "counterfactual": -true_cvr}
    config = METHODS[name].Config.parse(name, options)
    logits = {
        head: truth.get(head, true_cvr).clone().requires_grad_()
        for head in METHODS[name].all_heads(config, RATES)
    }
    tables = [logits[head] for head in heads]
    optimizer = torch.optim.Rprop(tables, lr=0.1, step_sizes=(1e-12, 1.0))
    with expectation(counts):
        for _ in range(steps):
            optimizer.zero_grad()
            outputs = Outputs({head: table.repeat(3) for head, table in logits.items()})
            found = METHODS[name].terms(config, outputs, Labels(click, conversion))
            weighted_sum({term: found[term] for term in terms or found}).backward()
            optimizer.step()
    steepest = max(float(table.grad.abs().max()) for table in tables if table.grad is not None)
    ratio = (share * logits["cvr"].detach().sigmoid()).sum() / (share * r).sum()
    return Settled(float(ratio), steepest, {head: z.detach() for head, z in logits.items()})
