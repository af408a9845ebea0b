"""Losses on logits: element by element, reductions by name, terms that papers share.

Each paper's whole loss is `Method.loss_on` of its method, e.g. `postclick.methods.Escm2Ipw`.
"""

from postclick.losses.doubly_robust import (
    DoublyRobust,
    error_imputation,
    error_start,
    imputed_error,
)
from postclick.losses.elementwise import (
    Clip,
    cross_entropy,
    gaussian_nll,
    log_product,
    product_cross_entropy,
    propensity,
    pseudo_label,
)
from postclick.losses.log_propensity import LogPropensity
from postclick.losses.reductions import (
    batch_size,
    expectation,
    mean_clicked,
    mean_entire,
    mean_over,
    mean_pairs,
    mean_unclicked,
    row_weights,
    self_normalised,
    shares,
    size,
    total,
    weighted_mean,
)
from postclick.losses.shared import (
    clicked_ipw_loss,
    ctcvr_loss,
    ctr_loss,
    listwise_ranking_loss,
    pairwise_ranking_loss,
)
from postclick.losses.terms import Term, Terms, weighted_sum

__all__ = [
    "Clip",
    "DoublyRobust",
    "LogPropensity",
    "Term",
    "Terms",
    "batch_size",
    "clicked_ipw_loss",
    "cross_entropy",
    "ctcvr_loss",
    "ctr_loss",
    "error_imputation",
    "error_start",
    "expectation",
    "gaussian_nll",
    "imputed_error",
    "listwise_ranking_loss",
    "log_product",
    "mean_clicked",
    "mean_entire",
    "mean_over",
    "mean_pairs",
    "mean_unclicked",
    "pairwise_ranking_loss",
    "product_cross_entropy",
    "propensity",
    "pseudo_label",
    "row_weights",
    "self_normalised",
    "shares",
    "size",
    "total",
    "weighted_mean",
    "weighted_sum",
]
