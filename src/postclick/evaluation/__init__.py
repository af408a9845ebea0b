"""Evaluation: exact metrics as mergeable sums, each on a named space, and tests over seeds."""

from postclick.evaluation.accumulator import EvaluationSums
from postclick.evaluation.auc import auc, weighted_auc
from postclick.evaluation.metric import (
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
from postclick.evaluation.paired import PairedResult, holm, paired_test, supported_best

__all__ = [
    "METRICS",
    "EvaluationSums",
    "Metric",
    "MetricValue",
    "PairedResult",
    "Quantity",
    "Space",
    "Statistic",
    "auc",
    "badness",
    "better",
    "holm",
    "metric_named",
    "paired_test",
    "supported_best",
    "weighted_auc",
]
