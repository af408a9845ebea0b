"""Weights of clicked impressions: one over the clipped propensity."""

from dataclasses import dataclass

import numpy as np

from postclick.errors import InputError
from postclick.judging.entire.inputs import ClickedRows, Floats
from postclick.metrics.propensity import effective_sample_size

CLIP = 0.001


@dataclass(frozen=True)
class InverseWeights:
    """What each clicked row counts for over all impressions.

    Attributes:
        weight: `(n,)`, the row's own weight over its clipped propensity.
        clip: the least propensity that is used; lower ones are raised to it.
        clipped_share: share of the clicked rows whose propensity was lower.
        clipped_weight_share: their share of `weight`.
        effective_sample_size: Kish's, of the clicked rows.
        effective_conversions: the same of those that converted.
        conversions: how many these are.
    """

    weight: Floats
    clip: float
    clipped_share: float
    clipped_weight_share: float
    effective_sample_size: float
    effective_conversions: float
    conversions: int


def inverse_weights(clicked: ClickedRows, clip: float = CLIP) -> InverseWeights:
    """Weights `w / max(propensity, clip)`.

    Raises `InputError` for a clip outside [0, 1), and propensities of 0 that it leaves as they are.

    Source: Ionides, "Truncated importance sampling", Journal of Computational and Graphical
    Statistics, 2008.

    >>> rows = ClickedRows.of([0.1, 0.1], [0, 1], [0.5, 0.001], unit=[0, 1])
    >>> found = inverse_weights(rows, clip=0.01)
    >>> found.weight.tolist(), found.clipped_share, round(found.clipped_weight_share, 3)
    ([2.0, 100.0], 0.5, 0.98)
    """
    if not 0.0 <= clip < 1.0:
        raise InputError(f"the clip is {clip}; give the least propensity to use, such as {CLIP}")
    low = clicked.propensity < clip
    used = np.maximum(clicked.propensity, clip)
    impossible = int(np.count_nonzero(used == 0.0))
    if impossible:
        raise InputError(
            f"the propensity is 0 on {impossible:,} of {len(clicked):,} clicked rows, which were "
            f"clicked; give a clip above 0, such as {CLIP}"
        )
    weight = clicked.weight / used
    total = float(weight.sum())
    rows = len(clicked)
    return InverseWeights(
        weight,
        clip,
        float(np.count_nonzero(low)) / rows if rows else 0.0,
        float(weight[low].sum()) / total if total else 0.0,
        effective_sample_size(weight),
        effective_sample_size(weight[clicked.conversion]),
        int(np.count_nonzero(clicked.conversion)),
    )
