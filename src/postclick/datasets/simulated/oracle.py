"""What the maker of a simulated log knows: the figures of perfect predictions."""

import numpy as np

from postclick.datasets.simulated.worlds import Floats
from postclick.evaluation.auc import weighted_auc


def _auc(scores: Floats, positive_mass: Floats, negative_mass: Floats) -> float:
    value = weighted_auc(scores, positive_mass, negative_mass)
    assert value is not None, "probabilities strictly between 0 and 1 leave mass on both sides"
    return value


def oracle_figures(
    true_ctr: Floats, true_cvr: Floats, click_score: Floats, conversion_score: Floats
) -> dict[str, float]:
    """Expected figures of perfect predictions over all draws of clicks and conversions.

    No label is used: an impression counts as clicked with weight `true_ctr`, as converting with
    `true_cvr`. So the figures carry no noise from the draw; those of a finite test split scatter
    around them.

    Args:
        true_ctr, true_cvr: shape (n,), the probabilities that were drawn from.
        click_score, conversion_score: shape (n,), the rankings that features alone can give.

    Returns:
        `ctr` and `cvr_{clicked,unclicked,entire}`, means; `ctr_auc`, `ctcvr_auc` and
        `cvr_auc_{clicked,unclicked,entire}` of the true probabilities; the same for the features'
        rankings as `feature_ctr_auc` and `feature_cvr_auc_*`. The two differ only where something
        is hidden.

    >>> ctr, cvr = np.array([0.2, 0.6]), np.array([0.1, 0.3])
    >>> figures = oracle_figures(ctr, cvr, ctr, cvr)
    >>> round(figures["cvr_clicked"], 2), round(figures["cvr_unclicked"], 2)
    (0.25, 0.17)
    """
    weights = {"clicked": true_ctr, "unclicked": 1 - true_ctr, "entire": np.ones_like(true_ctr)}
    converted = true_ctr * true_cvr
    figures = {"ctr": float(true_ctr.mean())}
    for space, weight in weights.items():
        figures[f"cvr_{space}"] = float(np.average(true_cvr, weights=weight))
    figures["ctr_auc"] = _auc(true_ctr, true_ctr, 1 - true_ctr)
    figures["ctcvr_auc"] = _auc(converted, converted, 1 - converted)
    for space, weight in weights.items():
        figures[f"cvr_auc_{space}"] = _auc(true_cvr, weight * true_cvr, weight * (1 - true_cvr))
    figures["feature_ctr_auc"] = _auc(click_score, true_ctr, 1 - true_ctr)
    for space, weight in weights.items():
        figures[f"feature_cvr_auc_{space}"] = _auc(
            conversion_score, weight * true_cvr, weight * (1 - true_cvr)
        )
    return figures
