"""A small log with known truth, and plain second implementations of the estimates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from postclick.judging.entire import ClickedRows, UnitTotals

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Log:
    """Impressions with what only their maker knows, each shape `(n,)`."""

    ctr: Floats
    cvr: Floats
    pcvr: Floats
    click: NDArray[np.bool_]
    conversion: NDArray[np.bool_]
    unit: NDArray[np.int64]
    weight: Floats

    @property
    def units(self) -> int:
        return int(self.unit.max()) + 1

    def clicked(self, propensity: Floats | None = None) -> ClickedRows:
        c = self.click
        p = self.ctr if propensity is None else propensity
        return ClickedRows.of(self.pcvr[c], self.conversion[c], p[c], self.unit[c], self.weight[c])

    def everyone(self) -> UnitTotals:
        totals = UnitTotals(self.units)
        totals.add(self.pcvr, self.unit, self.weight)
        return totals


def draw(seed: int, rows: int = 400, units: int = 60, spread: float = 0.8) -> Log:
    """Clicks and conversions that hang together; units differ in both."""
    rng = np.random.default_rng(seed)
    unit = rng.integers(0, units, rows)
    x = rng.normal(size=rows) + spread * rng.normal(size=units)[unit]
    ctr, cvr = 1 / (1 + np.exp(0.8 - x)), 1 / (1 + np.exp(1.0 - 0.8 * x))
    pcvr = 1 / (1 + np.exp(0.7 - 0.5 * x + 0.3 * rng.normal(size=rows)))
    click = rng.random(rows) < ctr
    conversion = click & (rng.random(rows) < cvr)
    weight = rng.integers(1, 4, rows).astype(float)
    return Log(ctr, cvr, pcvr, click, conversion, unit, weight)


def by_hand(log: Log, times: Floats, clip: float) -> dict[tuple[str, str], float]:
    """Every estimate but the AUC of `dr`, row by row, with unit u counted `times[u]` times."""
    size = ipw = ipw_v = all_q = all_h = resid = loss = loss_resid = 0.0
    for i in range(log.ctr.size):
        w = log.weight[i] * times[log.unit[i]]
        q, v = log.pcvr[i], float(log.conversion[i])
        entropy = -q * np.log(q) - (1 - q) * np.log(1 - q)
        size, all_q, all_h = size + w, all_q + w * q, all_h + w * entropy
        if log.click[i]:
            a = w / max(log.ctr[i], clip)
            nll = -v * np.log(q) - (1 - v) * np.log(1 - q)
            ipw, ipw_v, resid = ipw + a, ipw_v + a * v, resid + a * (v - q)
            loss, loss_resid = loss + a * nll, loss_resid + a * (nll - entropy)
    mean = {"snipw": ipw_v / ipw, "dr": all_q / size + resid / ipw}
    found = {("mean_cvr", name): value for name, value in mean.items()}
    found |= {("pcoc", name): all_q / size / value for name, value in mean.items()}
    found |= {("nll", "snipw"): loss / ipw, ("nll", "dr"): all_h / size + loss_resid / ipw}
    c = np.flatnonzero(log.click)
    won = pairs = 0.0
    for i in c[log.conversion[c]]:
        for j in c[~log.conversion[c]]:
            a = times[log.unit[i]] * log.weight[i] / max(log.ctr[i], clip)
            a *= times[log.unit[j]] * log.weight[j] / max(log.ctr[j], clip)
            pairs += a
            won += a * (float(log.pcvr[i] > log.pcvr[j]) + 0.5 * (log.pcvr[i] == log.pcvr[j]))
    return found | {("auc", "snipw"): won / pairs}


def robust_auc_by_hand(log: Log, times: Floats, clip: float) -> float:
    """AUC of `dr` from all pairs of impressions; `times` counts corrections, not impressions."""
    a = log.click / np.maximum(log.ctr, clip)
    counted = times[log.unit]
    scale = float(log.weight.sum()) / float((log.weight * counted * a).sum())
    one = log.pcvr + scale * counted * a * (log.conversion - log.pcvr)
    above = (log.pcvr[:, None] > log.pcvr) + 0.5 * (log.pcvr[:, None] == log.pcvr)
    pairs = np.outer(log.weight * one, log.weight * (1 - one))
    # A copy of a clicked row is not paired with itself.
    own = log.click * log.weight * one * (1 - one)
    won = float((pairs * above).sum()) - 0.5 * float(own.sum())
    return won / (float(pairs.sum()) - float(own.sum()))
