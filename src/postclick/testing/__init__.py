"""What a method, a backbone or a metric has to keep, for tests of your own package."""

from postclick.testing.batches import PATTERNS, make_batch, make_method
from postclick.testing.check_method import check_method

__all__ = ["PATTERNS", "check_method", "make_batch", "make_method"]
