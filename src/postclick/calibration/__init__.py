"""Calibration of pCVR after training: fitted on validation clicks, applied to logits."""

from postclick.calibration.calibrator import Calibrator

__all__ = ["Calibrator"]
