"""The three regressions of `click_prior`: of clicks, of clicks by folds, and of conversions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.data.arrays import RowArrays
from postclick.data.prepared import BaseRates, InputSpec, PreparedLog
from postclick.linear.groups import Groups
from postclick.linear.posterior import TOLERANCE, fit_mode
from postclick.linear.rows import Block, Blocks, Floats
from postclick.linear.spread import spread_by_group
from postclick.linear.standard_error import standard_error
from postclick.linear.variances import estimate_variances
from postclick.methods.fitted import Tensors
from postclick.methods.linear_columns import Columns
from postclick.methods.linear_factors import chosen_factors
from postclick.methods.linear_rows import ClickBlocks, clicked_rows, conversion_blocks
from postclick.methods.networks.linear_heads import STARTS

# Variances and spreads are a few numbers: so many rows tell them well enough.
SAMPLE_ROWS = 500_000


@dataclass(frozen=True)
class LinearFit:
    """Regressions on a log's training split.

    Attributes:
        inputs: what the columns are made of; the regression of clicks reads its exposure.
        variance: prior variance of all coefficients; None estimates one for each group.
        threads: how many blocks are worked on at once.
        tolerance: of the fits, see `fit_mode`.
    """

    log: PreparedLog
    inputs: InputSpec
    rates: BaseRates
    variance: float | None
    threads: int
    tolerance: float = TOLERANCE

    def columns(self, *, exposed: bool, further: int = 0) -> Columns:
        """The columns of a regression; `exposed` ones read the exposure, if there is one."""
        return Columns.of(self.inputs, exposed=exposed, further=further)

    @cached_property
    def _clicked(self) -> tuple[RowArrays, NDArray[np.int64]]:
        """The clicked training rows and their numbers, for which the whole split is read."""
        return clicked_rows(self.log)

    def clicks(self) -> Tensors:
        """Clicks on all impressions.

        Coefficients `(columns,)`, variances and spreads of what they add `(groups,)`.
        """
        columns = self.columns(exposed=True)
        few = self.log.split("train").rows <= SAMPLE_ROWS
        return self._fitted(
            self._click_blocks(columns),
            columns.groups(0.0),
            _start(columns, self.rates.ctr),
            sample=None if few else self._click_blocks(columns, rows=SAMPLE_ROWS),
        )

    def held_out(self, clicks: Tensors, folds: int) -> Tensors:
        """CTR scores `(clicked rows,)`, each from a fit to the other folds, without the exposure.

        The folds have the variances of the whole.
        """
        columns = self.columns(exposed=True)
        coefficients = fit_mode(
            self._click_blocks(columns, folds=folds),
            columns.groups(0.0).prior(clicks["variances"].numpy()),
            clicks["coefficients"].numpy(),
            folds=folds,
            tolerance=10 * self.tolerance,
            threads=self.threads,
        )
        kept = np.delete(coefficients, np.s_[columns.values : columns.sparse], axis=0)
        rows, number = self._clicked
        blocks = conversion_blocks(rows, self.columns(exposed=False), np.zeros((len(rows), 0)))
        scores = np.concatenate([block.times(kept) for block in blocks])
        return {"scores": torch.from_numpy(scores[np.arange(len(rows)), number % folds])}

    def conversions(
        self, score: Floats | None, score_variance: float, factors: int = 0, seed: int = 0
    ) -> Tensors:
        """The same of conversions on clicked impressions.

        `score_effect` holds the coefficient of the CTR score, its standard error, and the mean of
        the score on clicks, which is taken from it; zeros without one. With `factors`, so many of
        each column if cross-validation finds that they help, `factors` are those of all starts,
        `(columns, starts * factors)`, the coefficients their mean, and `factor_variance` theirs.
        """
        rows, _ = self._clicked
        centre, further = 0.0, np.zeros((len(rows), 0))
        if score is not None:
            centre = _mean(score, rows)
            further = (score - centre)[:, None]
        columns = self.columns(exposed=False, further=further.shape[1])
        groups = columns.groups(score_variance)
        blocks = conversion_blocks(rows, columns, further)
        found = self._fitted(blocks, groups, _start(columns, self.rates.cvr))
        effect = [0.0, 0.0, centre]
        if score is not None:
            mode, place = found["coefficients"].numpy(), columns.own.start
            prior = groups.prior(found["variances"].numpy())
            effect[:2] = float(mode[place]), standard_error(blocks, prior, mode, place)
        found["score_effect"] = torch.tensor(effect, dtype=torch.float64)
        if not factors:
            return found
        return self._factored(found, blocks, columns, groups, factors, seed)

    def _factored(
        self,
        found: Tensors,
        blocks: list[Block],
        columns: Columns,
        groups: Groups,
        size: int,
        seed: int,
    ) -> Tensors:
        """The same with factors, if those help."""
        mode, paired = found["coefficients"].numpy(), groups.of >= 0
        prior = groups.prior(found["variances"].numpy())
        variance, fits = chosen_factors(
            blocks, prior, mode, paired, size=size, seed=seed, threads=self.threads
        )
        if fits:
            factors = np.concatenate([one.factors for one in fits], axis=1)
            mode = np.mean([one.coefficients for one in fits], axis=0)
        else:
            factors = np.zeros((columns.total, STARTS * size))
        effect = found["score_effect"].clone()
        if columns.further:
            effect[0] = float(mode[columns.own.start])
        return {
            **found,
            "coefficients": torch.from_numpy(mode),
            "score_effect": effect,
            "factors": torch.from_numpy(factors),
            "factor_variance": torch.tensor([variance], dtype=torch.float64),
        }

    def _click_blocks(self, columns: Columns, rows: int | None = None, folds: int = 0) -> Blocks:
        """Blocks of the training split, held if the split is; the first `rows` of it if given."""
        found = ClickBlocks(self.log, columns, rows, folds)
        return list(found) if self.log.fits_in_memory("train") else found

    def _fitted(
        self, blocks: Blocks, groups: Groups, start: Floats, sample: Blocks | None = None
    ) -> Tensors:
        """A regression with variances estimated, on a sample of the rows if there is one."""
        if self.variance is None:
            found = estimate_variances(sample or blocks, groups, start, threads=self.threads)
            variances, start = found.variances, found.coefficients
        else:
            variances = np.full(groups.number, self.variance)
        prior = groups.prior(variances)
        mode = fit_mode(blocks, prior, start, tolerance=self.tolerance, threads=self.threads)
        spreads = spread_by_group(sample or blocks, groups, mode)
        return {
            "coefficients": torch.from_numpy(mode),
            "variances": torch.from_numpy(variances),
            "spreads": torch.from_numpy(spreads),
        }


def _start(columns: Columns, rate: float) -> Floats:
    """Nothing but the base rate."""
    start = np.zeros(columns.total)
    start[-1] = np.log(rate) - np.log1p(-rate)
    return start


def _mean(values: Floats, rows: RowArrays) -> float:
    weight = None if rows.weight is None else rows.weight.numpy().astype(np.float64)
    return float(np.average(values, weights=weight))
