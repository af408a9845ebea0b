"""The fixed point of a method's own loss on a tabular population, in float64.

Each head has one free logit per cell; where there is an exposure, click heads have one more number
for each of its values, as in training. Where a loss has stop-gradients it is no minimum that is
looked for but the point at which every head's gradient vanishes, so the gradient is followed as
in training: Adam, with a step that shrinks to nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from postclick.audit.population import Floats, Population
from postclick.data.prepared import BaseRates, InputSpec
from postclick.losses import expectation, weighted_sum
from postclick.methods.base import Labels, Method, MethodConfig, Outputs
from postclick.methods.exposed import exposed_outputs
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
    if rows.exposure is not None:
        rows = rows.merged()
    labels = Labels(rows.click, rows.conversion)
    clicked = float((population.mass * population.ctr).sum())
    rates = BaseRates(
        clicked, float((population.mass * population.ctr * population.cvr).sum()) / clicked
    )
    logits = {
        name: torch.full((population.cells,), math.log(rate / (1 - rate)), dtype=torch.float64)
        for name, rate in method.all_heads(config, rates).items()
    }
    for name in method.shared_heads:
        if name in logits:
            logits[name] = logits[name][:1]
    free = dict(logits)
    effect = None
    if rows.exposure is not None:
        effect = FreeExposure(("ctr", method.propensity_head), population.exposures)
        free |= {f"exposure of {head}": table for head, table in effect.tables.items()}
    for logit in free.values():
        logit.requires_grad_()
    # The smallest network the method takes: only its phases are asked for.
    tiny = method(config, NetworkConfig(tower=(2, 2, 2)), InputSpec((1,), (), 0), rates, 1)

    def outputs(cell: Tensor, exposure: Tensor | None) -> Outputs:
        found = {
            name: logit.expand(len(cell)) if name in method.shared_heads else logit[cell]
            for name, logit in logits.items()
        }
        if effect is None:
            return Outputs(found)
        return exposed_outputs(effect, Outputs(found), exposure)

    def total(wanted: tuple[str, ...]) -> Tensor:
        terms = method.terms(config, outputs(rows.cell, rows.exposure), labels)
        return weighted_sum({name: terms[name] for name in wanted or tuple(terms)})

    residual = 0.0
    with expectation(rows.counts):
        for phase in tiny.schedule(10):
            optimizers = {
                step.name: torch.optim.Adam(
                    # Gradients are exact and span many orders of magnitude: a short memory.
                    list(free.values()),
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
                    gradient = _gradient(total(step.terms), free)
                    for name, logit in free.items():
                        logit.grad = gradient[name]
                    optimizers[step.name].param_groups[0]["lr"] = lr
                    optimizers[step.name].step()
                    residual = max(residual, _largest(gradient, population))
    cells, values = population.cells, max(population.exposures, 1)
    with torch.no_grad():
        # Every cell at every exposure.
        every = torch.arange(cells).repeat_interleave(values), torch.arange(values).repeat(cells)
        served = method.serve(config, outputs(*every))
    shape = (cells, values)
    pctr, pcvr = (z.sigmoid().numpy().reshape(shape) for z in (served.ctr, served.cvr))
    shares = _shares(population)
    return FixedPoint(pctr @ shares, pcvr @ shares, residual)


class FreeExposure:
    """What each value of an exposure adds to the logits of click heads, to be found."""

    def __init__(self, heads: Iterable[str], values: int) -> None:
        self.tables = {
            head: torch.zeros(values, dtype=torch.float64) for head in dict.fromkeys(heads)
        }

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(self.tables)

    def __call__(self, head: str, logit: Tensor, ids: Tensor | None) -> Tensor:
        return logit if ids is None else logit + self.tables[head][ids]


def _shares(population: Population) -> Floats:
    """Of the exposures among all impressions; they are the same in every cell."""
    if population.exposure is None:
        return np.ones(1)
    return np.asarray(np.bincount(population.exposure, population.mass.sum(axis=0)), np.float64)


def _gradient(loss: Tensor, logits: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    found = torch.autograd.grad(loss, list(logits.values()), allow_unused=True)
    return dict(zip(logits, found, strict=True))


def _largest(gradient: Mapping[str, Tensor | None], population: Population) -> float:
    """Of the gradient by the mass of what each number is about: a cell, an exposure, or all."""
    by_cell = torch.from_numpy(np.asarray(population.mass.sum(axis=1)))
    by_exposure = torch.from_numpy(_shares(population))
    masses = {len(by_cell): by_cell, len(by_exposure): by_exposure, 1: torch.ones(1)}
    return max(
        (float((g / masses[len(g)]).abs().max()) for g in gradient.values() if g is not None),
        default=0.0,
    )
