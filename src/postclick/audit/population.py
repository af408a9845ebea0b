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
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit, ndtri, roots_genlaguerre
from torch import Tensor

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CELLS = 201
SIDE = 14
HIDDEN_CELLS, HIDDEN = 40, 9
# Effects of positions on the logit of a click, and what u does to that of a conversion.
POSITIONS = (1.3, 0.4, -0.4, -1.3)
EXPOSED_DEPENDENCE = 0.8
# Nodes of the latent, of which the model has 15.
FINE = 41
# Impressions that a population stands for; only ratios matter, but it has to be many.
IMPRESSIONS = 1e9


@dataclass(frozen=True)
class Population:
    """Cells by sub-cells with known probabilities.

    Attributes:
        name, summary: as printed.
        ctr, cvr: probabilities [cells, sub-cells].
        mass: share of all impressions [cells, sub-cells]; sums to 1.
        exposure: the exposure that a sub-cell is shown at [sub-cells], numbered from 0; None where
            there is none. It is known, and moves clicks alone.
    """

    name: str
    summary: str
    ctr: Floats
    cvr: Floats
    mass: Floats
    exposure: Ints | None = None

    @property
    def exposures(self) -> int:
        """How many values the exposure has, 0 without one."""
        return 0 if self.exposure is None else int(self.exposure.max()) + 1

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
        exposed = None
        if self.exposure is not None:
            each = np.broadcast_to(self.exposure, self.ctr.shape)
            exposed = torch.from_numpy(np.concatenate([each.ravel()] * 3))
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
            exposed,
        )


@dataclass(frozen=True)
class PopulationRows:
    """The population as a batch: cell of each row, labels, how often the row occurs, exposures."""

    cell: Tensor
    click: Tensor
    conversion: Tensor
    counts: Tensor
    exposure: Tensor | None = None

    def merged(self) -> "PopulationRows":
        """Rows that no feature, exposure or label tells apart as one."""
        exposure = torch.zeros_like(self.cell) if self.exposure is None else self.exposure
        told = torch.stack([self.cell, exposure, self.click.long(), self.conversion.long()], dim=1)
        kinds, of = torch.unique(told, dim=0, return_inverse=True)
        counts = torch.zeros(len(kinds), dtype=self.counts.dtype).index_add_(0, of, self.counts)
        click, conversion = kinds[:, 2:].to(self.click.dtype).unbind(1)
        kept = None if self.exposure is None else kinds[:, 1]
        return PopulationRows(kinds[:, 0], click, conversion, counts, kept)


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


def _exposed(name: str, summary: str, u: Floats, weight: Floats) -> Population:
    """u drives click and conversion and is in no feature; the position is random, moves clicks."""
    x = _normal_grid(HIDDEN_CELLS)[:, None, None]
    position = np.array(POSITIONS)[None, :, None]
    ctr = expit(-3.4 + x + position + u)
    cvr = np.broadcast_to(expit(-2.6 + 0.6 * x + EXPOSED_DEPENDENCE * u), ctr.shape)
    mass = np.broadcast_to(weight / (HIDDEN_CELLS * len(POSITIONS)), ctr.shape)
    exposure = np.repeat(np.arange(len(POSITIONS)), u.size)
    flat = (HIDDEN_CELLS, -1)
    return Population(
        name, summary, ctr.reshape(flat), cvr.reshape(flat), mass.reshape(flat), exposure
    )


def _exposed_normal() -> Population:
    nodes, weights = hermegauss(FINE)
    summary = "unobserved normal confounder, and a position that is random and known"
    return _exposed("exposed", summary, nodes, weights / weights.sum())


def _exposed_skewed() -> Population:
    shape = 2.0
    nodes, weights = roots_genlaguerre(FINE, shape - 1)
    summary = "the same with a skewed confounder (gamma of shape 2), which no normal one is"
    u = (nodes - shape) / np.sqrt(shape)
    return _exposed("exposed_skewed", summary, u, weights / weights.sum())


POPULATIONS: dict[str, Callable[[], Population]] = {
    "none": _independent,
    "positive": lambda: _observed(
        "positive", "observed confounding: who clicks more, converts more", 1.0, -2.5
    ),
    "negative": lambda: _observed(
        "negative", "observed confounding: lower CTR, higher CVR", -1.0, -2.5
    ),
    "hidden": _hidden,
    "exposed": _exposed_normal,
    "exposed_skewed": _exposed_skewed,
}
# Those without an exposure, on which every method is taken to its limit by default.
USUAL = ("none", "positive", "negative", "hidden")
