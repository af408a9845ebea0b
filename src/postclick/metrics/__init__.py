"""Metrics as mergeable sums, each on a named space; numpy alone."""

from postclick.metrics.auc import auc, weighted_auc
from postclick.metrics.metric import (
    METRICS,
    Metric,
    MetricValue,
    Quantity,
    Space,
    Statistic,
    badness,
    better,
    metric_named,
)
from postclick.metrics.sums import EvaluationSums

__all__ = [
    "METRICS",
    "EvaluationSums",
    "Metric",
    "MetricValue",
    "Quantity",
    "Space",
    "Statistic",
    "auc",
    "badness",
    "better",
    "metric_named",
    "weighted_auc",
]
