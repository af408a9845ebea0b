"""What the maker of a simulated log knows: the figures of perfect predictions."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit, xlog1py, xlogy

from postclick.datasets.simulated.causes import CAUSES
from postclick.datasets.simulated.population import Floats
from postclick.metrics.auc import weighted_auc

Flags = npt.NDArray[np.bool_]


def _auc(scores: Floats, positive_mass: Floats, negative_mass: Floats) -> float:
    value = weighted_auc(scores, positive_mass, negative_mass)
    assert value is not None, "probabilities strictly between 0 and 1 leave mass on both sides"
    return value


def _nll(prediction: Floats, truth: Floats, weight: Floats) -> float:
    loss = -xlogy(truth, prediction) - xlog1py(1 - truth, -prediction)
    return float(np.average(loss, weights=weight))


def expected_cvr(logit: Floats, hidden_effect: float, distribution: str = "normal") -> Floats:
    """Mean of sigmoid(logit + hidden_effect H) over an unseen H: the CVR given the features.

    H has the distribution that it has over all impressions, not over the clicked: of
    P(conversion | do(click), features). Shape (n,). By Gauss quadrature, of 40 nodes where H is
    continuous; exact without quadrature if nothing is hidden.

    Args:
        logit: shape (n,), where H is 0.
        hidden_effect: logits that H adds for each of its standard deviations.
        distribution: a name from `postclick.datasets.simulated.causes.CAUSES`.

    >>> expected_cvr(np.array([-2.0, 0.0]), 1.0).round(4)
    array([0.1555, 0.5   ])
    >>> expected_cvr(np.array([-2.0, 0.0]), 1.0, "two_point").round(4)
    array([0.1582, 0.5   ])
    """
    if not hidden_effect:
        prediction: Floats = expit(logit)
        return prediction
    cause = CAUSES[distribution]
    effect = abs(hidden_effect) if cause.symmetric else hidden_effect
    mean = np.zeros_like(logit)
    for node, weight in zip(*cause.rule(), strict=True):
        mean += weight * expit(logit + effect * node)
    return mean


def oracle_figures(
    true_ctr: Floats, true_cvr: Floats, click_score: Floats, feature_cvr: Floats
) -> dict[str, float | None]:
    """Expected figures of perfect predictions over all draws of clicks and conversions.

    No label is used: an impression counts as clicked with weight `true_ctr`, as converting with
    `true_cvr`. So the figures carry no noise from the draw; those of a finite test split scatter
    around them.

    Args:
        true_ctr, true_cvr: shape (n,), the probabilities that were drawn from.
        click_score: shape (n,), the ranking by click probability that features alone can give.
        feature_cvr: shape (n,), P(conversion | do(click), features).

    Returns:
        `ctr` and `cvr_{clicked,unclicked,entire}`, means; `ctr_auc`, `ctcvr_auc`,
        `cvr_auc_{clicked,unclicked,entire}` and `cvr_nll_*` of the true probabilities;
        `base_rate_cvr_nll_*`, the NLL of the space's mean CVR as the only prediction; and of what
        features alone can give `feature_ctr_auc`, `feature_cvr_auc_*` and `feature_cvr_nll_*`.
        True and feature figures differ only where something is hidden.

    >>> ctr, cvr = np.array([0.2, 0.6]), np.array([0.1, 0.3])
    >>> figures = oracle_figures(ctr, cvr, ctr, cvr)
    >>> round(figures["cvr_clicked"], 2), round(figures["cvr_unclicked"], 2)
    (0.25, 0.17)
    """
    weights = {"clicked": true_ctr, "unclicked": 1 - true_ctr, "entire": np.ones_like(true_ctr)}
    converted = true_ctr * true_cvr
    figures: dict[str, float | None] = {"ctr": float(true_ctr.mean())}
    means = {space: float(np.average(true_cvr, weights=w)) for space, w in weights.items()}
    figures |= {f"cvr_{space}": mean for space, mean in means.items()}
    figures["ctr_auc"] = _auc(true_ctr, true_ctr, 1 - true_ctr)
    figures["ctcvr_auc"] = _auc(converted, converted, 1 - converted)
    for space, w in weights.items():
        figures[f"cvr_auc_{space}"] = _auc(true_cvr, w * true_cvr, w * (1 - true_cvr))
    for space, w in weights.items():
        figures[f"cvr_nll_{space}"] = _nll(true_cvr, true_cvr, w)
    for space, w in weights.items():
        figures[f"base_rate_cvr_nll_{space}"] = _nll(np.full_like(w, means[space]), true_cvr, w)
    figures["feature_ctr_auc"] = _auc(click_score, true_ctr, 1 - true_ctr)
    for space, w in weights.items():
        figures[f"feature_cvr_auc_{space}"] = _auc(feature_cvr, w * true_cvr, w * (1 - true_cvr))
    for space, w in weights.items():
        figures[f"feature_cvr_nll_{space}"] = _nll(feature_cvr, true_cvr, w)
    return figures


def drawn_pcoc(true_cvr: Floats, click: Flags, potential: Flags) -> dict[str, float | None]:
    """`cvr_pcoc_*`: sum of the true CVR over the sum of the potential conversions drawn.

    1 in expectation; how far off it is shows how much a PCOC of so few conversions can say. None
    where no conversion was drawn. Shapes (n,).

    >>> click = np.array([True, True, False])
    >>> drawn_pcoc(np.array([0.5, 0.7, 0.2]), click, np.array([False, True, False]))
    {'cvr_pcoc_clicked': 1.2, 'cvr_pcoc_unclicked': None, 'cvr_pcoc_entire': 1.4}
    """
    inside = {"clicked": click, "unclicked": ~click, "entire": np.ones_like(click)}
    figures: dict[str, float | None] = {}
    for space, rows in inside.items():
        drawn = int(potential[rows].sum())
        figures[f"cvr_pcoc_{space}"] = float(true_cvr[rows].sum()) / drawn if drawn else None
    return figures
