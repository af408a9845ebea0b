"""Tabular populations in which click and conversion probabilities are known exactly.

A population has cells of equal mass, told apart by the features, and within a cell perhaps
sub-cells that no feature tells apart (an unobserved confounder). A click has probability p, a
conversion after a click r. Given the sub-cell, clicking and converting are independent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit, ndtri
from torch import Tensor

Floats = npt.NDArray[np.float64]
CELLS = 201
SIDE = 14
HIDDEN_CELLS, HIDDEN = 40, 9
# Impressions that a population stands for; only ratios matter, but it has to be many.
IMPRESSIONS = 1e9


@dataclass(frozen=True)
class Population:
    """Cells by sub-cells with known probabilities.

    Attributes:
        name, summary: as printed.
        ctr, cvr: probabilities [cells, sub-cells].
        mass: share of all impressions [cells, sub-cells]; sums to 1.
    """

    name: str
    summary: str
    ctr: Floats
    cvr: Floats
    mass: Floats

    @property
    def cells(self) -> int:
        return len(self.ctr)

    @property
    def cell_ctr(self) -> Floats:
        """P(click | features), [cells]."""
        return _mean(self.ctr, self.mass)

    @property
    def cell_cvr(self) -> Floats:
        """P(conversion | do(click), features), [cells]: the truth over the entire space."""
        return _mean(self.cvr, self.mass)

    def rows(self) -> "PopulationRows":
        """One row for each sub-cell and each outcome: no click, click alone, conversion."""
        cell = np.broadcast_to(np.arange(self.cells)[:, None], self.ctr.shape)
        outcomes = (
            (0.0, 0.0, self.mass * (1 - self.ctr)),
            (1.0, 0.0, self.mass * self.ctr * (1 - self.cvr)),
            (1.0, 1.0, self.mass * self.ctr * self.cvr),
        )
        return PopulationRows(
            torch.from_numpy(np.concatenate([cell.ravel()] * 3)),
            torch.from_numpy(np.repeat([c for c, _, _ in outcomes], cell.size)),
            torch.from_numpy(np.repeat([v for _, v, _ in outcomes], cell.size)),
            torch.from_numpy(IMPRESSIONS * np.concatenate([m.ravel() for _, _, m in outcomes])),
        )


@dataclass(frozen=True)
class PopulationRows:
    """The population as a batch: cell of each row, labels, and how often the row occurs."""

    cell: Tensor
    click: Tensor
    conversion: Tensor
    counts: Tensor


def _mean(values: Floats, mass: Floats) -> Floats:
    means: Floats = (values * mass).sum(axis=1) / mass.sum(axis=1)
    return means


def _normal_grid(points: int) -> Floats:
    """Midpoints of `points` equally likely parts of the standard normal distribution."""
    grid: Floats = ndtri((np.arange(points) + 0.5) / points)
    return grid


def _observed(name: str, summary: str, slope: float, level: float) -> Population:
    """Click logit -3.2 + 1.2 u, conversion logit `level` + `slope` u; u is in the features."""
    u = _normal_grid(CELLS)[:, None]
    ctr, cvr = expit(-3.2 + 1.2 * u), expit(level + slope * u)
    return Population(name, summary, ctr, cvr, np.full_like(ctr, 1 / ctr.size))


def _independent() -> Population:
    """Clicking depends on u alone, converting on w alone; both are in the features."""
    u, w = (g.ravel() for g in np.meshgrid(_normal_grid(SIDE), _normal_grid(SIDE)))
    ctr, cvr = expit(-3.2 + 1.2 * u)[:, None], expit(-2.5 + w)[:, None]
    name, summary = "none", "no selection: what drives clicks does not drive conversions"
    return Population(name, summary, ctr, cvr, np.full_like(ctr, 1 / ctr.size))


def _hidden() -> Population:
    """h drives both click and conversion and is in no feature."""
    u, h = _normal_grid(HIDDEN_CELLS)[:, None], _normal_grid(HIDDEN)[None, :]
    ctr, cvr = expit(-3.4 + u + 0.8 * h), expit(-2.6 + 0.6 * u + 0.8 * h)
    name, summary = "hidden", "unobserved confounder: something no feature shows drives both"
    return Population(name, summary, ctr, cvr, np.full_like(ctr, 1 / ctr.size))


POPULATIONS: dict[str, Callable[[], Population]] = {
    "none": _independent,
    "positive": lambda: _observed(
        "positive", "observed confounding: who clicks more, converts more", 1.0, -2.5
    ),
    "negative": lambda: _observed(
        "negative", "observed confounding: lower CTR, higher CVR", -1.0, -2.5
    ),
    "hidden": _hidden,
}
