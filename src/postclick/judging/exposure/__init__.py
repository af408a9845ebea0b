"""PCOC of pCVR by exposure value, and whether an unseen cause drives clicks and conversions."""

from postclick.judging.exposure.hypotheses import power
from postclick.judging.exposure.result import ExposureTest, ExposureValue, Omnibus, Trend
from postclick.judging.exposure.unseen_cause import exposure_test

__all__ = [
    "ExposureTest",
    "ExposureValue",
    "Omnibus",
    "Trend",
    "exposure_test",
    "power",
]
