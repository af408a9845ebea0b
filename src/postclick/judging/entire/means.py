"""Mean CVR, PCOC and NLL over all impressions: ratios of sums, with influences by unit."""

from dataclasses import dataclass

import numpy as np

from postclick.judging.entire.inputs import ClickedRows, Floats, UnitTotals, logs


@dataclass(frozen=True)
class Mean:
    """A mean over all impressions and each unit's share in its error, shape `(units,)`."""

    value: float
    influence: Floats

    def plus(self, other: "Mean") -> "Mean":
        """The sum of two means over the same units."""
        return Mean(self.value + other.value, self.influence + other.influence)


def weighted_mean(values: Floats, weight: Floats, clicked: ClickedRows, units: int) -> Mean:
    """The self-normalised mean `sum a x / sum a` over clicked rows of weights a, shapes `(n,)`.

    A row's influence is `a (x - mean) / sum a`. Source: Swaminathan and Joachims, "The
    self-normalized estimator for counterfactual learning", NeurIPS 2015.

    >>> rows = ClickedRows.of([0.1, 0.1], [0, 1], [0.5, 0.5], unit=[0, 1])
    >>> weighted_mean(np.array([0.0, 1.0]), np.array([1.0, 3.0]), rows, 2)
    Mean(value=0.75, influence=array([-0.1875,  0.1875]))
    """
    total = float(weight.sum())
    value = float(weight @ values) / total
    return Mean(value, clicked.by_unit(weight * (values - value) / total, units))


def mean_over_all(sums: Floats, size: Floats) -> Mean:
    """`sum / impressions` of sums by unit, shapes `(units,)`.

    >>> mean_over_all(np.array([1.0, 2.0]), np.array([4.0, 4.0]))
    Mean(value=0.375, influence=array([-0.0625,  0.0625]))
    """
    total = float(size.sum())
    value = float(sums.sum()) / total
    return Mean(value, (sums - value * size) / total)


def mean_cvr(clicked: ClickedRows, weight: Floats, everyone: UnitTotals) -> tuple[Mean, Mean]:
    """SNIPW and DR of the mean CVR.

    DR is `mean pCVR over all + sum a (v - pCVR) / sum a`: the augmented estimator with the judged
    model as outcome model, its correction self-normalised, so that a common factor of all
    propensities does not matter and it stays bounded.

    Source: Robins, Rotnitzky and Zhao, "Estimation of regression coefficients when some regressors
    are not always observed", 1994; normalised as in Robins et al., "Comment: performance of
    double-robust estimators when inverse probability weights are highly variable", 2007.
    """
    v = clicked.conversion.astype(np.float64)
    ipw = weighted_mean(v, weight, clicked, everyone.units)
    predicted = mean_over_all(everyone.pcvr, everyone.size)
    return ipw, predicted.plus(weighted_mean(v - clicked.pcvr, weight, clicked, everyone.units))


def pcoc(predicted: Mean, converting: Mean) -> Mean:
    """`mean pCVR over all / mean CVR`, by the delta method.

    >>> pcoc(Mean(0.2, np.zeros(1)), Mean(0.1, np.array([0.01])))
    Mean(value=2.0, influence=array([-0.2]))
    """
    value = predicted.value / converting.value
    change = (predicted.influence - value * converting.influence) / converting.value
    return Mean(value, change)


def nll(clicked: ClickedRows, weight: Floats, everyone: UnitTotals) -> tuple[Mean, Mean]:
    """SNIPW and DR of the mean cross-entropy of pCVR with potential conversions, in nats.

    DR: if pCVR is right, the expected NLL of a row is its entropy, and `NLL - entropy` is
    `(pCVR - v) logit pCVR`.
    """
    q, v = clicked.pcvr, clicked.conversion
    log_q, log_rest, logit = logs(q)
    loss = -np.where(v, log_q, log_rest)
    loss[(v & (q == 0.0)) | (~v & (q == 1.0))] = np.inf
    with np.errstate(invalid="ignore"):
        ipw = weighted_mean(loss, weight, clicked, everyone.units)
    residual = np.where(np.isfinite(loss), (q - v) * logit, np.inf)
    expected = mean_over_all(everyone.entropy, everyone.size)
    with np.errstate(invalid="ignore"):
        beyond = weighted_mean(residual, weight, clicked, everyone.units)
    return ipw, expected.plus(beyond)
