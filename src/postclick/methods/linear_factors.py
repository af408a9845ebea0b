"""Whether conversions hang on pairs of values, by cross-validation on clicks, and on which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from postclick.linear.factors import Factored, fit_factors
from postclick.linear.groups import Prior
from postclick.linear.posterior import fit_mode
from postclick.linear.rows import Block, Floats
from postclick.methods.networks.linear_heads import STARTS

# Variances of factors that are tried; without an improvement over none there are no factors.
VARIANCES = (0.01, 0.04, 0.12)
FOLDS = 3
# Trials are told apart by far more than this many nats.
TRIAL_TOLERANCE = 0.5
# Minima differ from start to start by more than this.
TOLERANCE = 0.1
# What later iterations gain is hardly seen on rows held out.
TRIAL_ITERATIONS, ITERATIONS = 40, 60
# Blocks of trials have no more rows than this in all: a variance is one number.
TRIAL_ROWS = 50_000


def chosen_factors(
    blocks: Sequence[Block],
    prior: Prior,
    mode: Floats,
    paired: NDArray[np.bool_],
    *,
    size: int,
    seed: int,
    threads: int,
) -> tuple[float, list[Factored]]:
    """The variance that predicts held-out folds best, and fits to all rows from several starts.

    Where none predicts them better than a regression without factors does, by more than a standard
    error over rows, the variance is 0 and there are no fits.

    Args:
        mode: of the regression without factors, `(p,)`.
        paired: columns that may have factors.
        size: factors of each column.
    """
    gains: list[list[Floats]] = [[] for _ in VARIANCES]
    for fold in range(FOLDS):
        kept, left = _parted(blocks, fold, TRIAL_ROWS)
        plain = fit_mode(kept, prior, mode, threads=threads)
        before = Factored(plain, np.zeros((mode.size, 0))).losses(left)
        for variance, of in zip(VARIANCES, gains, strict=True):
            found = fit_factors(
                kept,
                prior,
                plain,
                paired,
                size=size,
                variance=variance,
                seed=seed,
                tolerance=TRIAL_TOLERANCE,
                iterations=TRIAL_ITERATIONS,
            )
            of.append(before - found.losses(left))
    best = max(range(len(VARIANCES)), key=lambda k: sum(float(part.sum()) for part in gains[k]))
    by_row = np.concatenate(gains[best])
    # One standard error: what does not show beyond noise is left out.
    if by_row.sum() <= np.sqrt(by_row.size) * by_row.std():
        return 0.0, []
    fits = []
    for start in range(STARTS):
        fits.append(
            fit_factors(
                blocks,
                prior,
                mode,
                paired,
                size=size,
                variance=VARIANCES[best],
                seed=seed + start,
                tolerance=TOLERANCE,
                iterations=ITERATIONS,
            )
        )
    return VARIANCES[best], fits


def _parted(blocks: Sequence[Block], fold: int, most: int) -> tuple[list[Block], list[Block]]:
    """Of the first `most` rows those of the other folds, and those of this one, every third."""
    kept: list[Block] = []
    left: list[Block] = []
    at = 0
    for block in blocks:
        number = np.arange(at, at + len(block))
        at += len(block)
        for inside, into in ((False, kept), (True, left)):
            chosen = np.flatnonzero(((number % FOLDS == fold) == inside) & (number < most))
            into.append(
                replace(
                    block,
                    sparse=tuple(matrix[chosen] for matrix in block.sparse),
                    dense=block.dense[chosen],
                    label=block.label[chosen],
                    weight=None if block.weight is None else block.weight[chosen],
                )
            )
    return kept, left
