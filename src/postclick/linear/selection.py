"""The two steps of a selection model with linear predictors: selection, then outcomes given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from postclick.latent import Latent
from postclick.linear.groups import Prior
from postclick.linear.logistic_loss import weighted
from postclick.linear.posterior import curvature
from postclick.linear.rows import Block, Floats
from postclick.linear.selection_likelihood import outcome_loss, selection_loss


class SelectionRows(NamedTuple):
    """Rows that may be selected, in the columns of the selection's predictor.

    Attributes:
        unselected, selected: blocks of either kind.
        log_kept: ln of the share of unselected rows that is there.
    """

    unselected: tuple[Block, ...]
    selected: tuple[Block, ...]
    log_kept: float = 0.0

    def without(self, fold: int) -> SelectionRows:
        """The rows outside of a fold; the others stay, with weight 0."""
        return self._replace(
            unselected=without(self.unselected, fold), selected=without(self.selected, fold)
        )


def without(blocks: Sequence[Block], fold: int) -> tuple[Block, ...]:
    """The rows outside of a fold; the others stay, with weight 0."""
    return _in_fold(blocks, fold, inside=False)


def only(blocks: Sequence[Block], fold: int) -> tuple[Block, ...]:
    """The rows of a fold; the others stay, with weight 0."""
    return _in_fold(blocks, fold, inside=True)


def selection_likelihood(
    rows: SelectionRows, coefficients: Floats, over: Latent
) -> tuple[float, Floats]:
    """Minus the log-likelihood of who is selected, P = E_u sigma(a + u), and its slope."""
    loss, slope = 0.0, np.zeros(coefficients.size)
    for blocks, selected in ((rows.unselected, False), (rows.selected, True)):
        for block in blocks:
            found = selection_loss(block.times(coefficients), selected, over, rows.log_kept)
            loss += _sum(block, found.loss)
            slope += block.transposed_times(weighted(block, found.slope))
    return loss, slope


def outcome_likelihood(
    blocks: Sequence[Block], a: Floats, coefficients: Floats, dependence: float, over: Latent
) -> tuple[float, Floats]:
    """Minus the log-likelihood of outcomes given selection, and its slope.

    Of a row it is `-ln E_u[sigma(a + u) sigma(b + s u)^y (1 - sigma(b + s u))^(1 - y)]` above
    `-ln E_u sigma(a + u)`.

    Args:
        blocks: selected rows in the columns of the outcome's predictor b, labelled by outcomes.
        a: the selection's predictor of these rows, `(n,)`, which is given.
        dependence: s.
    """
    loss, slope, at = 0.0, np.zeros(coefficients.size), 0
    for block in blocks:
        part = a[at : at + len(block)]
        found = outcome_loss(part, block.times(coefficients), dependence, block.label, over)
        loss += _sum(block, found.loss)
        slope += block.transposed_times(weighted(block, found.by_outcome))
        at += len(block)
    return loss, slope


def selection_units(rows: SelectionRows, prior: Prior, coefficients: Floats) -> Floats:
    """About the posterior standard deviations, in which the sum is about equally curved."""
    return prior.scale(curvature([*rows.unselected, *rows.selected], coefficients))


def outcome_units(blocks: Sequence[Block], prior: Prior, coefficients: Floats) -> Floats:
    """The same of the outcome's coefficients, as if selection hid nothing."""
    return prior.scale(curvature(blocks, coefficients))


def _in_fold(blocks: Sequence[Block], fold: int, *, inside: bool) -> tuple[Block, ...]:
    def of(block: Block) -> Block:
        assert block.fold is not None
        used = ((block.fold == fold) == inside).astype(np.float64)
        return replace(block, weight=used if block.weight is None else used * block.weight)

    return tuple(map(of, blocks))


def _sum(block: Block, values: Floats) -> float:
    return float(values.sum() if block.weight is None else block.weight @ values)
