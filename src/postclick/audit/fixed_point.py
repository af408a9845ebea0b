"""The fixed point of a method's own loss on a tabular population, in float64.

Each head has one free logit per cell. Where a loss has stop-gradients it is no minimum that is
looked for but the point at which every head's gradient vanishes, so the gradient is followed as
in training: Adam, with a step that shrinks to nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from postclick.audit.population import Floats, Population
from postclick.data.prepared import BaseRates, InputSpec
from postclick.losses import expectation, weighted_sum
from postclick.methods.base import Labels, Method, MethodConfig, Outputs
from postclick.nn.config import NetworkConfig

# 1500 steps change no ratio in its fourth decimal.
STEPS = 700
LR_START, LR_END = 0.1, 1e-4


@dataclass(frozen=True)
class FixedPoint:
    """Served probabilities per cell, and the largest gradient (per cell mass) that is left."""

    pctr: Floats
    pcvr: Floats
    residual: float


def solve(
    method: type[Method[MethodConfig]],
    config: MethodConfig,
    population: Population,
    *,
    steps: int = STEPS,
) -> FixedPoint:
    """Follow the method's loss on `population` to where it stands still.

    Staged methods run their phases one after the other; steps that alternate within a phase are
    taken in turn.
    """
    rows = population.rows()
    labels = Labels(rows.click, rows.conversion)
    clicked = float((population.mass * population.ctr).sum())
    rates = BaseRates(
        clicked, float((population.mass * population.ctr * population.cvr).sum()) / clicked
    )
    logits = {
        name: torch.full((population.cells,), math.log(rate / (1 - rate)), dtype=torch.float64)
        for name, rate in method.all_heads(config, rates).items()
    }
    for logit in logits.values():
        logit.requires_grad_()
    # The smallest network the method takes: only its phases are asked for.
    tiny = method(config, NetworkConfig(tower=(2, 2, 2)), InputSpec((1,), (), 0), rates, 1)

    def outputs() -> Outputs:
        return Outputs({name: logit[rows.cell] for name, logit in logits.items()})

    def total(wanted: tuple[str, ...]) -> Tensor:
        terms = method.terms(config, outputs(), labels)
        return weighted_sum({name: terms[name] for name in wanted or tuple(terms)})

    residual = 0.0
    with expectation(rows.counts):
        for phase in tiny.schedule(10):
            optimizers = {
                step.name: torch.optim.Adam(
                    # Gradients are exact and span many orders of magnitude: a short memory.
                    list(logits.values()),
                    lr=LR_START,
                    betas=(0.9, 0.95),
                    eps=1e-20,
                )
                for step in phase.steps
            }
            for k in range(steps):
                # Full speed for the first half, then an exponential decay to the end.
                decay = max(0.0, 2 * k / steps - 1)
                lr = LR_START * (LR_END / LR_START) ** decay
                residual = 0.0
                for step in phase.steps:
                    gradient = _gradient(total(step.terms), logits)
                    for name, logit in logits.items():
                        logit.grad = gradient[name]
                    optimizers[step.name].param_groups[0]["lr"] = lr
                    optimizers[step.name].step()
                    residual = max(residual, _largest(gradient, population))
    served = method.serve(config, Outputs({n: logit.detach() for n, logit in logits.items()}))
    return FixedPoint(served.ctr.sigmoid().numpy(), served.cvr.sigmoid().numpy(), residual)


def _gradient(loss: Tensor, logits: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    found = torch.autograd.grad(loss, list(logits.values()), allow_unused=True)
    return dict(zip(logits, found, strict=True))


def _largest(gradient: Mapping[str, Tensor | None], population: Population) -> float:
    mass = torch.from_numpy(np.asarray(population.mass.sum(axis=1)))
    return max(
        (float((g / mass).abs().max()) for g in gradient.values() if g is not None), default=0.0
    )
