"""What a method, a backbone or a metric has to keep, for tests of your own package."""

from postclick.testing.batches import PATTERNS, make_batch, make_method
from postclick.testing.check_backbone import check_backbone
from postclick.testing.check_fitted import check_fitted_method
from postclick.testing.check_method import check_method
from postclick.testing.check_metric import check_metric
from postclick.testing.fake_log import fake_log

__all__ = [
    "PATTERNS",
    "check_backbone",
    "check_fitted_method",
    "check_method",
    "check_metric",
    "fake_log",
    "make_batch",
    "make_method",
]
