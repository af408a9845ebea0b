"""Metrics as mergeable sums, each on a named space; numpy alone."""

from postclick.metrics.auc import AUC, auc, weighted_auc
from postclick.metrics.bias import Bias, RelativeBias
from postclick.metrics.catalogue import (
    METRICS,
    Figure,
    badness,
    better,
    figure_named,
    figures,
    metric_named,
    register,
    registered,
)
from postclick.metrics.gauc import GAUC, gauc
from postclick.metrics.metric import (
    Groups,
    Metric,
    MetricValue,
    Quantity,
    Reported,
    Space,
    State,
    Where,
)
from postclick.metrics.nll import NLL
from postclick.metrics.pcoc import PCOC
from postclick.metrics.ranking import RankingMetric, ScoredRows
from postclick.metrics.ratio import RatioMetric, Sums
from postclick.metrics.rows import Rows
from postclick.metrics.sums import EvaluationSums

__all__ = [
    "AUC",
    "GAUC",
    "METRICS",
    "NLL",
    "PCOC",
    "Bias",
    "EvaluationSums",
    "Figure",
    "Groups",
    "Metric",
    "MetricValue",
    "Quantity",
    "RankingMetric",
    "RatioMetric",
    "RelativeBias",
    "Reported",
    "Rows",
    "ScoredRows",
    "Space",
    "State",
    "Sums",
    "Where",
    "auc",
    "badness",
    "better",
    "figure_named",
    "figures",
    "gauc",
    "metric_named",
    "register",
    "registered",
    "weighted_auc",
]
