"""From logits to the probabilities that are served."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.calibration.calibrator import Calibrator
from postclick.logits import sigmoid

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
PREDICTIONS = ("pctr", "pcvr", "pctcvr")


class Probabilities(NamedTuple):
    """float32 [n] each; pctcvr = pctr x pcvr unless the method predicts it otherwise."""

    pctr: Floats32
    pcvr: Floats32
    pctcvr: Floats32

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(self._asdict())


class ServingCorrections:
    """What makes a model's logits the probabilities that are served: prior shift, calibration.

    >>> corrections = ServingCorrections(ctr_shift=float(np.log(0.5)))
    >>> found = corrections.probabilities(np.zeros(1, np.float32), np.zeros(1, np.float32))
    >>> [round(float(values[0]), 4) for values in found]
    [0.3333, 0.5, 0.1667]
    """

    def __init__(self, ctr_shift: float = 0.0, calibration: dict[str, Any] | None = None) -> None:
        self._shift = ctr_shift
        self._calibrator = None if calibration is None else Calibrator.from_json(calibration)

    def probabilities(
        self, ctr: Floats32, cvr: Floats32, log_ctcvr: Floats32 | None = None
    ) -> Probabilities:
        """Probabilities from logits [n] of pCTR and pCVR, and ln pCTCVR where there is one.

        Calibrated pCVR changes pCTCVR to pCTR x pCVR: a method's own would not go with it.
        """
        ctr_logit, cvr_logit = ctr.astype(np.float64), cvr.astype(np.float64)
        pctr = sigmoid(ctr_logit + self._shift)
        if self._calibrator is not None:
            pcvr = sigmoid(self._calibrator.apply(cvr_logit))
            pctcvr = pctr * pcvr
        elif log_ctcvr is not None:
            pcvr = sigmoid(cvr_logit)
            pctcvr = np.exp(log_ctcvr.astype(np.float64))
            if self._shift:
                # Conversions are clicks, all of which were kept: they are rarer as clicks are.
                pctcvr *= pctr / sigmoid(ctr_logit)
        else:
            pcvr = sigmoid(cvr_logit)
            pctcvr = pctr * pcvr
        return Probabilities(*(p.astype(np.float32) for p in (pctr, pcvr, pctcvr)))
