"""How good are the pseudo-labels that a method gives to unclicked impressions?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from postclick.metrics.inputs import as_labels, finite_vector, in_range
from postclick.metrics.likelihood import cross_entropy


@dataclass(frozen=True)
class TeacherLogloss:
    """Mean cross-entropy of pseudo-labels over unclicked rows, against three labels.

    Attributes:
        rows: unclicked rows.
        recorded_zeros: against the recorded conversion, which is 0 on every unclicked row, so the
            best label is 0 whatever the truth. The published figure, and degenerate: do not
            choose a method or a model by it.
        true_cvr, potential_conversion: against the truth; None where it is not known.

    All are None without unclicked rows.

    >>> TeacherLogloss(0, None, None, None).rows
    0
    """

    rows: int
    recorded_zeros: float | None
    true_cvr: float | None
    potential_conversion: float | None


def teacher_logloss(
    teacher_logit: ArrayLike,
    click: ArrayLike,
    *,
    truth: Mapping[str, ArrayLike] | None = None,
    weight: ArrayLike | None = None,
) -> TeacherLogloss:
    """Cross-entropy of pseudo-labels on unclicked rows, as published and against the truth.

    The two rank teachers in opposite orders: below, a constant of .001 beats the true CVR of .1
    against recorded zeros and loses to it against the truth.

    Shapes: `teacher_logit` and `click` (0/1) `(n,)` over all impressions; of `truth` the entries
    `true_cvr` (in [0, 1]) and `potential_conversion` (0/1), `(n,)`, are used where given, as
    `SplitLabels.truth` has them; `weight` `(n,)` is how many impressions each row stands for, 1
    without. Raises `InputError` for other values or lengths that differ.

    Source: EVI, Fig. 2 (against recorded conversions).

    >>> truth = {"true_cvr": np.array([0.1])}
    >>> for label in (0.001, 0.1):
    ...     found = teacher_logloss([np.log(label / (1 - label))], [0], truth=truth)
    ...     print(round(found.recorded_zeros, 4), round(found.true_cvr, 4))
    0.001 0.6917
    0.1054 0.3251
    """
    logits = finite_vector("teacher_logit", teacher_logit)
    unclicked = ~as_labels("click", click, logits.size)
    label = logits[unclicked]
    known = truth or {}
    of_row = np.ones(label.size)
    if weight is not None:
        of_row = in_range("weight", weight, 0.0, np.inf, logits.size)[unclicked].astype(np.float64)

    def against(target: NDArray[np.generic] | None) -> float | None:
        if target is None or not of_row.any():
            return None
        if weight is None:
            return float(cross_entropy(label, target).mean())
        return float(np.average(cross_entropy(label, target), weights=of_row))

    cvr = potential = None
    if "true_cvr" in known:
        cvr = in_range("true_cvr", known["true_cvr"], 0.0, 1.0, logits.size)[unclicked]
    if "potential_conversion" in known:
        drawn = known["potential_conversion"]
        potential = as_labels("potential_conversion", drawn, logits.size)[unclicked]
    recorded = against(np.zeros(label.size))
    return TeacherLogloss(label.size, recorded, against(cvr), against(potential))
