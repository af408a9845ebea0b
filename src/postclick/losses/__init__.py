"""Losses on logits, element by element, and the reductions by name."""

from postclick.losses.elementwise import (
    cross_entropy,
    gaussian_nll,
    log_product,
    product_cross_entropy,
    propensity,
    pseudo_label,
)
from postclick.losses.reductions import (
    expectation,
    mean_clicked,
    mean_entire,
    mean_over,
    mean_unclicked,
    self_normalised,
    total,
    weighted_mean,
)

__all__ = [
    "cross_entropy",
    "expectation",
    "gaussian_nll",
    "log_product",
    "mean_clicked",
    "mean_entire",
    "mean_over",
    "mean_unclicked",
    "product_cross_entropy",
    "propensity",
    "pseudo_label",
    "self_normalised",
    "total",
    "weighted_mean",
]
