"""The entire space without truth: estimates from clicks and a propensity, and their placebo."""

from postclick.judging.entire.assumptions import ASSUMPTIONS, SUMMARY, Estimator
from postclick.judging.entire.estimate import Estimate
from postclick.judging.entire.estimates import (
    ESTIMATORS,
    METRICS,
    EntireEstimates,
    estimate_entire,
)
from postclick.judging.entire.inputs import ClickedRows, UnitTotals
from postclick.judging.entire.weights import CLIP, InverseWeights, inverse_weights

__all__ = [
    "ASSUMPTIONS",
    "CLIP",
    "ESTIMATORS",
    "METRICS",
    "SUMMARY",
    "ClickedRows",
    "EntireEstimates",
    "Estimate",
    "Estimator",
    "InverseWeights",
    "UnitTotals",
    "estimate_entire",
    "inverse_weights",
]
