"""The entire space without truth: estimates from clicks and a propensity, and their placebo."""

from postclick.judging.entire.assumptions import ASSUMPTIONS, SUMMARY, Estimator
from postclick.judging.entire.balance import Balance, FeatureBalance
from postclick.judging.entire.balance_sums import BalanceSums
from postclick.judging.entire.difference import entire_differences
from postclick.judging.entire.estimate import Estimate
from postclick.judging.entire.estimates import (
    ESTIMATORS,
    METRICS,
    EntireEstimates,
    estimate_entire,
)
from postclick.judging.entire.inputs import ClickedRows, UnitTotals
from postclick.judging.entire.propensity import FittedPropensity, PropensityFit, fit_propensity
from postclick.judging.entire.weights import CLIP, InverseWeights, inverse_weights

__all__ = [
    "ASSUMPTIONS",
    "CLIP",
    "ESTIMATORS",
    "METRICS",
    "SUMMARY",
    "Balance",
    "BalanceSums",
    "ClickedRows",
    "EntireEstimates",
    "Estimate",
    "Estimator",
    "FeatureBalance",
    "FittedPropensity",
    "InverseWeights",
    "PropensityFit",
    "UnitTotals",
    "entire_differences",
    "estimate_entire",
    "fit_propensity",
    "inverse_weights",
]
