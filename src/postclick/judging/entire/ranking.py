"""AUC over all impressions: weighted over clicked rows, and doubly robust."""

import numpy as np

from postclick.judging.entire.inputs import ClickedRows, Floats, UnitTotals, logs, score_bin
from postclick.judging.entire.means import Mean


def weighted_ranking(clicked: ClickedRows, weight: Floats, units: int) -> Mean | None:
    """SNIPW of AUC: the share of (converting, other) pairs in order, pairs weighing `a a'`.

    A converting row's influence is `a (below - AUC) / sum a`, of other rows' weight the share
    below it, ties half; an other row's `a (above - AUC) / sum a`, of the converting rows' weight
    the share above it. Exact; None without conversions or without others.

    >>> rows = ClickedRows.of([0.1, 0.3, 0.2], [0, 1, 1], [0.5, 0.5, 0.5], unit=[0, 1, 2])
    >>> weighted_ranking(rows, np.ones(3), 3).value
    1.0
    """
    v = clicked.conversion
    positives, negatives = float(weight[v].sum()), float(weight[~v].sum())
    if positives <= 0.0 or negatives <= 0.0:
        return None
    below, _ = _shares(clicked.pcvr[v], clicked.pcvr[~v], weight[~v] / negatives)
    _, above = _shares(clicked.pcvr[~v], clicked.pcvr[v], weight[v] / positives)
    value = float(weight[v] @ below) / positives
    influence = np.empty(len(clicked))
    influence[v] = weight[v] * (below - value) / positives
    influence[~v] = weight[~v] * (above - value) / negatives
    return Mean(value, clicked.by_unit(influence, units))


def _shares(score: Floats, among: Floats, mass: Floats) -> tuple[Floats, Floats]:
    """For each score, the mass of `among` below and above it, ties half to each."""
    order = np.argsort(among)
    ranked, cumulated = among[order], np.concatenate(([0.0], np.cumsum(mass[order])))
    low = cumulated[np.searchsorted(ranked, score, side="left")]
    high = cumulated[np.searchsorted(ranked, score, side="right")]
    below = 0.5 * (low + high)
    return below, cumulated[-1] - below


def robust_ranking(clicked: ClickedRows, weight: Floats, everyone: UnitTotals) -> Mean | None:
    """DR of AUC: pairs of impressions, each partly a conversion.

    A row counts as `pCVR + d` converting and `1 - pCVR - d` other impressions, where d is 0
    without a click and `N a (v - pCVR) / sum a` with one, N the number of impressions. Two
    different rows are independent, so that the expected product of the one's positive and the
    other's negative mass is that of their true CVRs if the propensities are right *or* pCVR is:
    the estimator is doubly robust, as the mean is. Pairs of a clicked row with itself are taken
    out (of an unclicked one they change the value by about `1 / N`).

    Scores of all impressions are known by bins of 1/1024 logit, within which they count as tied.
    The influences are those of the clicked rows: which impressions there are is taken as given.
    None where the masses leave no positive or no negative.

    Source: Mann and Whitney's statistic with the pseudo-outcomes of Robins, Rotnitzky and Zhao,
    1994.
    """
    q = clicked.pcvr
    impressions, total = everyone.impressions, float(weight.sum())
    scale = impressions / total
    residual = clicked.conversion - q
    place = score_bin(logs(q)[2])
    bins = everyone.size_by_score.size
    positive = everyone.pcvr_by_score + np.bincount(place, scale * weight * residual, bins)
    negative = everyone.size_by_score - positive
    below = np.cumsum(negative) - 0.5 * negative
    positives, negatives = float(positive.sum()), float(negative.sum())
    if positives <= 0.0 or negatives <= 0.0:
        return None
    above = positives - (np.cumsum(positive) - 0.5 * positive)
    # Of each impression that a row stands for, as of so many copies of the row.
    size = clicked.weight
    copy = q + residual * np.divide(scale * weight, size, out=np.zeros_like(q), where=size > 0.0)
    own = float(size @ (copy * (1.0 - copy)))
    pairs = positives * negatives - own
    value = (float(positive @ below) - 0.5 * own) / pairs
    # What one more unit of positive mass, taken from the negative, does to the value.
    gain = ((below[place] - value * negatives) - (above[place] - value * positives)) / pairs
    corrected = residual * gain
    mean = float(weight @ corrected) / total
    influence = scale * weight * (corrected - mean)
    return Mean(value, clicked.by_unit(influence, everyone.units))
