"""How far clicks and conversions share a cause that no feature shows, found on a prepared log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from postclick.data.prepared import PreparedLog
from postclick.latent import Latent
from postclick.linear.groups import Groups, Prior
from postclick.linear.likelihood_ratio import Profile
from postclick.linear.mode import mode
from postclick.linear.profile import profile
from postclick.linear.rows import Block, Floats
from postclick.linear.selection import (
    SelectionRows,
    only,
    outcome_likelihood,
    outcome_units,
    selection_likelihood,
    selection_units,
    without,
)
from postclick.methods.dependence import LIMITS
from postclick.methods.linear_columns import Columns
from postclick.methods.linear_rows import click_blocks, clicked_rows, rows_where
from postclick.progress import Reporter

# Unclicked rows beyond so many tell next to nothing more beside the clicked ones.
UNCLICKED_ROWS = 1_000_000
STEP = 0.5
# Of a sum of losses in held-out folds, whose differences of tenths matter.
TOLERANCE = 1e-3
# A logit that a normal latent of scale s is averaged out of is flatter by sqrt(1 + SPREAD s^2).
SPREAD = (16 * math.sqrt(3) / (15 * math.pi)) ** 2


def stretched(dependence: float) -> float:
    """How much larger coefficients are that stand beside a latent cause of this scale.

    Source: Zeger, Liang and Albert, "Models for longitudinal data", 1988, for a normal one.

    >>> round(stretched(0.0), 3), round(stretched(1.0), 3)
    (1.0, 1.16)
    """
    return math.sqrt(1 + SPREAD * dependence * dependence)


class Clicks(NamedTuple):
    """Clicks beside a latent cause.

    Attributes:
        coefficients: of the click's predictor, `(p,)`, on all rows.
        held_out: the predictor of the clicked rows, each from the other folds, `(clicks,)`.
        score: the same without the exposure.
        centre: its mean.
    """

    coefficients: Floats
    held_out: Floats
    score: Floats
    centre: float


def fit_clicks(
    log: PreparedLog,
    columns: Columns,
    prior: Prior,
    start: Floats,
    over: Latent,
    *,
    folds: int,
    log_kept: float,
    seed: int,
    threads: int,
) -> Clicks:
    """The first step: P(click) = E_u sigma(a + u) on the training split.

    Args:
        prior, start: of a plain regression of clicks.
        log_kept: ln of the share of unclicked impressions that `prepare` left.
    """
    rows = _selection_rows(log, columns, folds=folds, log_kept=log_kept, seed=seed)
    wider = Prior(prior.variance * stretched(1.0) ** 2)
    begin = start * stretched(1.0)
    units = selection_units(rows, prior, start)

    def fit(of: SelectionRows, begin: Floats, tolerance: float) -> Floats:
        likelihood = partial(selection_likelihood, of, over=over)
        return mode(likelihood, wider, begin, units=units, tolerance=tolerance)

    whole = fit(rows, begin, 1e-4)
    with ThreadPoolExecutor(max(1, min(threads, folds))) as pool:
        by_fold = np.stack(
            list(pool.map(lambda k: fit(rows.without(k), whole, TOLERANCE), range(folds))), axis=1
        )
    unexposed = by_fold.copy()
    unexposed[columns.values : columns.sparse] = 0.0
    held_out, score = (
        np.concatenate([_own_fold(block, found) for block in rows.selected])
        for found in (by_fold, unexposed)
    )
    weights = [np.ones(len(b)) if b.weight is None else b.weight for b in rows.selected]
    centre = float(np.average(score, weights=np.concatenate(weights)))
    return Clicks(whole, held_out, score, centre)


def _selection_rows(
    log: PreparedLog, columns: Columns, *, folds: int, log_kept: float, seed: int
) -> SelectionRows:
    clicked, number = clicked_rows(log)
    share = min(1.0, UNCLICKED_ROWS / max(log.split("train").rows - len(clicked), 1))
    generator = torch.Generator().manual_seed(seed)

    def kept(click: Tensor) -> Tensor:
        if share == 1.0:
            return click == 0
        return (click == 0) & (torch.rand(click.shape, generator=generator) < share)

    rest, number_of_rest = rows_where(log, kept)
    return SelectionRows(
        tuple(click_blocks(rest, columns, number_of_rest % folds)),
        tuple(click_blocks(clicked, columns, number % folds)),
        log_kept + math.log(share),
    )


def _own_fold(block: Block, by_fold: Floats) -> Floats:
    assert block.fold is not None
    return np.asarray(block.times(by_fold)[np.arange(len(block)), block.fold], np.float64)


@dataclass(frozen=True)
class DependenceSearch:
    """The second step: conversions of clicked rows, over the dependence.

    Attributes:
        blocks: clicked rows, labelled by conversions, in folds.
        a: their click predictors from the other folds, `(clicks,)`. In-sample ones would know of
            each row that it was clicked, and the dependence would make up for that.
        groups: of the columns.
        variances: of the groups where nothing is hidden.
        start: the coefficients where nothing is hidden.
    """

    blocks: Sequence[Block]
    a: Floats
    groups: Groups
    variances: Floats
    start: Floats
    over: Latent
    folds: int
    threads: int

    def prior(self, dependence: float) -> Prior:
        """As wide, on what is seen, at any dependence."""
        return self.groups.prior(self.variances * stretched(dependence) ** 2)

    @cached_property
    def units(self) -> Floats:
        """In which all are searched."""
        return outcome_units(self.blocks, self.prior(0.0), self.start)

    def mode(self, dependence: float) -> Floats:
        """The coefficients on all clicked rows."""
        return self._mode(self.blocks, dependence, self.start * stretched(dependence), 1e-5)

    def _mode(
        self, blocks: Sequence[Block], dependence: float, start: Floats, tolerance: float
    ) -> Floats:
        def likelihood(coefficients: Floats) -> tuple[float, Floats]:
            return outcome_likelihood(blocks, self.a, coefficients, dependence, self.over)

        prior = self.prior(dependence)
        return mode(likelihood, prior, start, units=self.units, tolerance=tolerance)

    def profile(self, reporter: Reporter) -> Profile:
        """Over held-out rows: each fold's likelihood under the modes of the other folds."""
        reporter.start("dependence", None, "values")
        parts = [(without(self.blocks, k), only(self.blocks, k)) for k in range(self.folds)]
        known: dict[float, list[Floats]] = {}
        _ = self.units  # before threads ask for it

        def held_out(fold: int, dependence: float) -> tuple[Floats, float]:
            fitted_to, judged_on = parts[fold]
            modes = {at: found[fold] for at, found in known.items()}
            begin = self.start * stretched(dependence)
            start = _extrapolated(modes, dependence) if modes else begin
            found = self._mode(fitted_to, dependence, start, TOLERANCE)
            return found, outcome_likelihood(judged_on, self.a, found, dependence, self.over)[0]

        def loss(dependence: float) -> float:
            with ThreadPoolExecutor(max(1, min(self.threads, self.folds))) as pool:
                done = list(pool.map(partial(held_out, dependence=dependence), range(self.folds)))
            known[dependence] = [found for found, _ in done]
            reporter.advance(1)
            return float(np.sum([one for _, one in done]))

        return profile(loss, step=STEP, limits=LIMITS)


def _extrapolated(modes: Mapping[float, Floats], dependence: float) -> Floats:
    """Where the mode is about, from those at the two values that are nearest."""
    nearest = sorted(modes, key=lambda at: abs(at - dependence))[:2]
    first = modes[nearest[0]]
    if len(nearest) == 1:
        return first
    by = (dependence - nearest[0]) / (nearest[1] - nearest[0])
    return np.asarray(first + by * (modes[nearest[1]] - first), np.float64)
