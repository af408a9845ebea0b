"""Evaluation: exact metrics as mergeable sums, each on a named space, and tests over seeds."""

from postclick.evaluation.accumulator import EvaluationSums
from postclick.evaluation.auc import auc, weighted_auc
from postclick.evaluation.bootstrap import BootstrapDifference, bootstrap_difference
from postclick.evaluation.delong import AucDifference, DeLong, auc_difference, auc_interval, delong
from postclick.evaluation.interval import Interval
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
from postclick.evaluation.seed_tests import WelchResult, WilcoxonResult, welch_test, wilcoxon_test
from postclick.evaluation.significance import Significance, significance

__all__ = [
    "METRICS",
    "AucDifference",
    "BootstrapDifference",
    "DeLong",
    "EvaluationSums",
    "Interval",
    "Metric",
    "MetricValue",
    "PairedResult",
    "Quantity",
    "Significance",
    "Space",
    "Statistic",
    "WelchResult",
    "WilcoxonResult",
    "auc",
    "auc_difference",
    "auc_interval",
    "badness",
    "better",
    "bootstrap_difference",
    "delong",
    "holm",
    "metric_named",
    "paired_test",
    "significance",
    "supported_best",
    "weighted_auc",
    "welch_test",
    "wilcoxon_test",
]
