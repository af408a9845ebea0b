"""Intervals and tests: over seeds, and over test rows."""

from postclick.stats.bootstrap import (
    BootstrapDifference,
    bootstrap_difference,
    bootstrap_differences,
    bootstrap_intervals,
)
from postclick.stats.delong import AucDifference, auc_difference, auc_interval
from postclick.stats.interval import Interval
from postclick.stats.paired import PairedResult, holm, paired_test, supported_best
from postclick.stats.power import detectable_difference
from postclick.stats.seed_tests import WelchResult, WilcoxonResult, welch_test, wilcoxon_test
from postclick.stats.significance import Significance, significance
from postclick.stats.soft_auc import soft_auc_difference
from postclick.stats.structural_components import auc_error_undefined

__all__ = [
    "AucDifference",
    "BootstrapDifference",
    "Interval",
    "PairedResult",
    "Significance",
    "WelchResult",
    "WilcoxonResult",
    "auc_difference",
    "auc_error_undefined",
    "auc_interval",
    "bootstrap_difference",
    "bootstrap_differences",
    "bootstrap_intervals",
    "detectable_difference",
    "holm",
    "paired_test",
    "significance",
    "soft_auc_difference",
    "supported_best",
    "welch_test",
    "wilcoxon_test",
]
