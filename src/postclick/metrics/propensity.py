"""How well a model's click propensities overlap between clicked and unclicked impressions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, in_range

# Rarer clicks than this are counted with the lowest bin: one outlier must not squeeze the rest.
LOWEST = 1e-8


@dataclass(frozen=True)
class OverlapHistogram:
    """Where clicked and unclicked impressions lie on the scale of predicted propensity.

    Attributes:
        edges: shape (bins + 1,), log10 of pCTR, evenly spaced.
        clicked, unclicked: shape (bins,), the share of the clicked (unclicked) rows in each bin;
            each sums to 1, or is all 0 if there are no such rows.
        clip_share: share of all rows whose pCTR lies outside the clip range; None without one.

    >>> OverlapHistogram(np.array([-2.0, 0.0]), np.ones(1), np.ones(1), None).edges.size
    2
    """

    edges: NDArray[np.float64]
    clicked: NDArray[np.float64]
    unclicked: NDArray[np.float64]
    clip_share: float | None


def overlap_histogram(
    pctr: ArrayLike,
    click: ArrayLike,
    bins: int = 40,
    *,
    clip: tuple[float, float] | None = None,
    weight: ArrayLike | None = None,
) -> OverlapHistogram:
    """Histograms of log10 pCTR over clicked and over unclicked rows, on the same bins.

    Weights 1 / pCTR can carry what is learned on clicks only to where clicks occur: unclicked rows
    in bins that have hardly any clicked ones are not covered. `weight`, finite and not negative, is
    how many impressions each row stands for, 1 without.

    Shapes: `pctr` `(n,)` in [0, 1], `click` `(n,)` of 0/1. Raises `InputError` for other values,
    lengths that differ, no rows, or fewer than one bin.

    >>> found = overlap_histogram([0.001, 0.01, 0.1, 0.1], [0, 0, 0, 1], bins=2, clip=(0.005, 1.0))
    >>> found.edges.tolist(), found.clicked.tolist(), found.clip_share
    ([-3.0, -2.0, -1.0], [0.0, 1.0], 0.25)
    >>> found.unclicked.round(3).tolist()
    [0.333, 0.667]
    """
    p = in_range("pctr", pctr, 0.0, 1.0)
    clicked = as_labels("click", click, p.size)
    if not p.size:
        raise InputError("there are no rows to make a histogram of; give at least 1")
    if bins < 1:
        raise InputError(f"a histogram with {bins} bins holds nothing; give at least 1")
    w = None
    if weight is not None:
        w = in_range("weight", weight, 0.0, np.inf, p.size).astype(np.float64)
    clip_share = None
    if clip is not None:
        outside = (p < clip[0]) | (p > clip[1])
        counted = float(np.count_nonzero(outside)) if w is None else float(w[outside].sum())
        clip_share = counted / (p.size if w is None else float(w.sum()) or 1.0)
    place = np.log10(np.maximum(p, LOWEST, dtype=np.float64))
    edges = np.histogram_bin_edges(place, bins)
    ends = float(edges[0]), float(edges[-1])

    def shares(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        found = np.histogram(place[rows], bins, ends, weights=None if w is None else w[rows])[0]
        return found / (float(found.sum()) or 1.0)

    return OverlapHistogram(edges, shares(clicked), shares(~clicked), clip_share)


def effective_sample_size(weights: ArrayLike) -> float:
    """`(sum w)^2 / sum w^2`: how many equally weighted rows would estimate a mean as well.

    From 1 (one row has all the weight) to n (all weigh the same); 0 if no row weighs anything.

    Shape: `(n,)`, finite and not negative, on any scale, for instance 1 / clipped pCTR of the
    clicked rows. Raises `InputError` for other values.

    Source: Kish, "Survey sampling", 1965.

    >>> effective_sample_size([2.0, 2.0, 2.0]), effective_sample_size([4.0, 2.0])
    (3.0, 1.8)
    """
    weight = in_range("weights", weights, 0.0, np.inf)
    if not weight.any():
        return 0.0
    # The scale cancels; with 1 on top no square under- or overflows.
    share = weight.astype(np.float64) / float(weight.max())
    return float(share.sum()) ** 2 / float(np.square(share).sum())
