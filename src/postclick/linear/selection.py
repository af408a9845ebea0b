"""The mode of a selection model with two linear predictors, for a given dependence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from postclick.latent import Latent
from postclick.linear.posterior import MEMORY, Prior, curvature
from postclick.linear.rows import Block, Floats
from postclick.linear.selection_likelihood import outcome_loss, selection_loss


@dataclass(frozen=True)
class SelectionRows:
    """Rows of a selection model.

    Attributes:
        unselected: rows in the columns of the selection's predictor.
        selected: the same of rows that are selected.
        outcomes: these rows, block by block, in the columns of the outcome's predictor, labelled
            by their outcomes.
        log_kept: ln of the share of unselected rows that is there.
    """

    unselected: tuple[Block, ...]
    selected: tuple[Block, ...]
    outcomes: tuple[Block, ...]
    log_kept: float = 0.0

    def without(self, fold: int) -> SelectionRows:
        """The rows outside of a fold; the others stay, with weight 0."""
        return self._weighted(fold, inside=False)

    def only(self, fold: int) -> SelectionRows:
        """The rows of a fold."""
        return self._weighted(fold, inside=True)

    def _weighted(self, fold: int, *, inside: bool) -> SelectionRows:
        def of(block: Block) -> Block:
            assert block.fold is not None
            used = ((block.fold == fold) == inside).astype(np.float64)
            return replace(block, weight=used if block.weight is None else used * block.weight)

        return SelectionRows(
            tuple(map(of, self.unselected)),
            tuple(map(of, self.selected)),
            tuple(map(of, self.outcomes)),
            self.log_kept,
        )


@dataclass(frozen=True)
class Coefficients:
    """Of the selection's predictor, `(p,)`, and of the outcome's, `(q,)`."""

    selection: Floats
    outcome: Floats


def selection_likelihood(
    rows: SelectionRows, at: Coefficients, dependence: float, over: Latent
) -> tuple[float, Coefficients]:
    """Minus the log-likelihood of all rows, and its slopes.

    Of a row that is not selected it is `-ln E_u[1 - sigma(a + u)]`, of one that is
    `-ln E_u[sigma(a + u) sigma(b + s u)^y (1 - sigma(b + s u))^(1 - y)]`, with a and b its two
    predictors.
    """
    loss = 0.0
    slope = Coefficients(np.zeros(at.selection.size), np.zeros(at.outcome.size))
    for block in rows.unselected:
        found = selection_loss(block.times(at.selection), False, over, rows.log_kept)
        loss += _sum(block, found.loss)
        slope.selection[:] += block.transposed_times(_weighted(block, found.slope))
    for block, of_outcome in zip(rows.selected, rows.outcomes, strict=True):
        a, b = block.times(at.selection), of_outcome.times(at.outcome)
        chosen = selection_loss(a, True, over, rows.log_kept)
        became = outcome_loss(a, b, dependence, of_outcome.label, over)
        loss += _sum(block, chosen.loss) + _sum(block, became.loss)
        by_selection = _weighted(block, chosen.slope + became.by_selection)
        slope.selection[:] += block.transposed_times(by_selection)
        slope.outcome[:] += of_outcome.transposed_times(_weighted(block, became.by_outcome))
    return loss, slope


def selection_mode(
    rows: SelectionRows,
    priors: tuple[Prior, Prior],
    start: Coefficients,
    dependence: float,
    over: Latent,
    *,
    units: Coefficients | None = None,
    tolerance: float = 1e-4,
    iterations: int = 500,
) -> Coefficients:
    """Minimise minus the log-likelihood plus `1/2 sum_j b_j^2 / variance_j` of both predictors.

    Args:
        priors: of the selection's coefficients and of the outcome's.
        start: where to begin, e.g. the mode at a dependence that is near.
        units: in which the sum is about equally curved, see `posterior_units`; None for those of
            the priors.
        tolerance: stop once an iteration lowers the sum by less than this.

    Source: L-BFGS (Liu and Nocedal, 1989), on b in these units.
    """
    split = start.selection.size
    precision = np.concatenate([prior.precision for prior in priors])
    held = np.concatenate([prior.variance for prior in priors]) == 0
    if units is None:
        scale = np.concatenate([prior.scale for prior in priors])
    else:
        scale = np.where(held, 0.0, np.concatenate([units.selection, units.outcome]))
    flat = np.concatenate([start.selection, start.outcome])
    begin = np.divide(flat, scale, out=np.zeros(flat.size), where=scale > 0)

    def objective(unit: Floats) -> tuple[float, Floats]:
        found = scale * unit
        at = Coefficients(found[:split], found[split:])
        loss, slope = selection_likelihood(rows, at, dependence, over)
        penalised = np.concatenate([slope.selection, slope.outcome]) + precision * found
        return loss + 0.5 * float(precision @ np.square(found)), scale * penalised

    solved = minimize(
        objective,
        begin,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxcor": MEMORY,
            "ftol": tolerance / max(objective(begin)[0], 1.0),
            "gtol": 0.0,
            "maxiter": iterations,
            "maxfun": 4 * iterations,
        },
    )
    found = scale * solved.x
    return Coefficients(found[:split], found[split:])


def posterior_units(
    rows: SelectionRows, priors: tuple[Prior, Prior], at: Coefficients
) -> Coefficients:
    """About the posterior standard deviation of each coefficient, if selection hid nothing."""
    told = curvature([*rows.unselected, *rows.selected], at.selection)
    told_of_outcome = curvature(rows.outcomes, at.outcome)
    found = [
        1 / np.sqrt(np.maximum(t + prior.precision, np.finfo(np.float64).tiny))
        for t, prior in zip((told, told_of_outcome), priors, strict=True)
    ]
    return Coefficients(*found)


def _weighted(block: Block, values: Floats) -> Floats:
    return values if block.weight is None else np.asarray(block.weight * values)


def _sum(block: Block, values: Floats) -> float:
    return float(values.sum() if block.weight is None else block.weight @ values)
