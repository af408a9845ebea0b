"""How far clicks and conversions share a cause that no feature shows, found on a prepared log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from postclick.data.prepared import PreparedLog
from postclick.latent import Latent
from postclick.linear.posterior import Prior
from postclick.linear.profile import Profile, profile
from postclick.linear.rows import Floats
from postclick.linear.selection import (
    Coefficients,
    SelectionRows,
    posterior_units,
    selection_likelihood,
    selection_mode,
)
from postclick.linear.variances import Groups
from postclick.methods.linear_rows import (
    Columns,
    click_blocks,
    clicked_rows,
    conversion_blocks,
    rows_where,
)
from postclick.progress import Reporter

# Unclicked rows beyond so many tell next to nothing more beside the clicked ones.
UNCLICKED_ROWS = 1_000_000
LIMITS = (-3.0, 4.0)
STEP = 0.5
# In held-out folds the sum of losses need not be more exact than this.
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


def selection_rows(
    log: PreparedLog,
    of_clicks: Columns,
    of_conversions: Columns,
    further: Floats | None,
    *,
    folds: int,
    log_kept: float,
    seed: int,
) -> SelectionRows:
    """The training split as rows of a selection model.

    Args:
        further: columns of the method's own for conversions, `(clicks, k)`, None for none.
        log_kept: ln of the share of unclicked impressions that `prepare` left.
    """
    clicked, number = clicked_rows(log)
    share = min(1.0, UNCLICKED_ROWS / max(log.split("train").rows - len(clicked), 1))
    generator = torch.Generator().manual_seed(seed)

    def kept(click: Tensor) -> Tensor:
        if share == 1.0:
            return click == 0
        return (click == 0) & (torch.rand(click.shape, generator=generator) < share)

    own = np.zeros((len(clicked), 0)) if further is None else further
    rest, number_of_rest = rows_where(log, kept)
    return SelectionRows(
        tuple(click_blocks(rest, of_clicks, number_of_rest % folds)),
        tuple(click_blocks(clicked, of_clicks, number % folds)),
        tuple(conversion_blocks(clicked, of_conversions, own, number % folds)),
        log_kept + math.log(share),
    )


@dataclass(frozen=True)
class DependenceSearch:
    """The modes of a selection model over its dependence, and which dependence holds up.

    Attributes:
        groups: of the columns of clicks and of conversions.
        variances: of the groups where nothing is hidden, for each of the two.
        start: the coefficients of regressions of clicks and of conversions apart.
    """

    rows: SelectionRows
    groups: tuple[Groups, Groups]
    variances: tuple[Floats, Floats]
    start: Coefficients
    over: Latent
    folds: int
    threads: int

    def priors(self, dependence: float) -> tuple[Prior, Prior]:
        """As wide, on what is seen, at any dependence."""
        clicks, conversions = self.groups
        of_clicks, of_conversions = self.variances
        return (
            clicks.prior(of_clicks * stretched(1.0) ** 2),
            conversions.prior(of_conversions * stretched(dependence) ** 2),
        )

    def begin(self, dependence: float) -> Coefficients:
        return Coefficients(
            self.start.selection * stretched(1.0), self.start.outcome * stretched(dependence)
        )

    @cached_property
    def units(self) -> Coefficients:
        return posterior_units(self.rows, self.priors(0.0), self.begin(0.0))

    def mode(self, dependence: float, start: Coefficients | None = None) -> Coefficients:
        """The coefficients on all rows."""
        return self._mode(self.rows, dependence, start or self.begin(dependence), 1e-4)

    def _mode(
        self, rows: SelectionRows, dependence: float, start: Coefficients, tolerance: float
    ) -> Coefficients:
        return selection_mode(
            rows,
            self.priors(dependence),
            start,
            dependence,
            self.over,
            units=self.units,
            tolerance=tolerance,
        )

    def profile(self, reporter: Reporter) -> Profile:
        """Over held-out rows: each fold's likelihood under the modes of the other folds."""
        reporter.start("dependence", None, "values")
        parts = [(self.rows.without(k), self.rows.only(k)) for k in range(self.folds)]
        known: dict[float, list[Coefficients]] = {}
        _ = self.units  # before threads ask for it

        def held_out(fold: int, dependence: float) -> tuple[Coefficients, float]:
            fitted_to, judged_on = parts[fold]
            modes = {at: found[fold] for at, found in known.items()}
            start = _extrapolated(modes, dependence) if modes else self.begin(dependence)
            found = self._mode(fitted_to, dependence, start, TOLERANCE)
            return found, selection_likelihood(judged_on, found, dependence, self.over)[0]

        def loss(dependence: float) -> float:
            with ThreadPoolExecutor(max(1, min(self.threads, self.folds))) as pool:
                done = list(pool.map(partial(held_out, dependence=dependence), range(self.folds)))
            known[dependence] = [found for found, _ in done]
            reporter.advance(1)
            return float(np.sum([one for _, one in done]))

        return profile(loss, step=STEP, limits=LIMITS)


def _extrapolated(modes: Mapping[float, Coefficients], dependence: float) -> Coefficients:
    """Where the mode is about, from those at the two values that are nearest."""
    nearest = sorted(modes, key=lambda at: abs(at - dependence))[:2]
    first = modes[nearest[0]]
    if len(nearest) == 1:
        return first
    second = modes[nearest[1]]
    by = (dependence - nearest[0]) / (nearest[1] - nearest[0])
    return Coefficients(
        first.selection + by * (second.selection - first.selection),
        first.outcome + by * (second.outcome - first.outcome),
    )
