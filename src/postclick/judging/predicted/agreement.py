"""Whether a pCTCVR that was given is the product of the pCTR and pCVR beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.judging.predicted.rows import Predicted

# Decimals that numbers may have been rounded to, and how many values it takes to tell.
DECIMALS, LOOKED_AT, LEAST = range(1, 9), 1000, 10
# Beside that, what floats of 32 bits and formulas in another order leave.
RELATIVE = 1e-4


class Agreement:
    """How often one model's pCTCVR differs from pCTR x pCVR beyond rounding, and how far.

    >>> pctr, pcvr = np.array([0.5, 0.1, 0.2]), np.array([0.25, 0.5, 0.5])
    >>> agreement = Agreement()
    >>> agreement.add(Predicted(pctr, pcvr, np.array([0.125, 0.05, 0.3])))
    >>> agreement.rows, agreement.differ, round(agreement.largest, 6)
    (3, 1, 0.2)
    """

    def __init__(self) -> None:
        self.rows = self.differ = 0
        self.largest = 0.0

    def add(self, model: Predicted) -> None:
        """Add rows; nothing unless all three are there. What is missing is not compared."""
        if model.pctr is None or model.pcvr is None or model.pctcvr is None:
            return
        pctr, pcvr, given = (
            np.asarray(p, np.float64) for p in (model.pctr, model.pcvr, model.pctcvr)
        )
        product = pctr * pcvr
        off = np.abs(given - product)
        if model.on_clicks:
            off[np.isnan(off)] = 0.0
        within = RELATIVE * product + half_unit(given)
        within += half_unit(pctr) * pcvr + half_unit(pcvr) * pctr
        self.rows += off.size
        self.differ += int(np.count_nonzero(off > within))
        self.largest = max(self.largest, float(off.max(initial=0.0)))


def half_unit(values: NDArray[Any]) -> float:
    """Half of the last decimal that numbers were rounded to; 0 where they were not, or are too few.

    >>> half_unit(np.arange(20) / 100), half_unit(np.arange(20) / 30), half_unit(np.full(20, 0.1))
    (0.005, 0.0, 0.0)
    """
    seen = np.unique(values[:LOOKED_AT])
    seen = seen[~np.isnan(seen)]
    if seen.size < LEAST:
        return 0.0
    for decimals in DECIMALS:
        if np.all(np.abs(seen - np.round(seen, decimals)) < 1e-12):
            return 0.5 * 10.0**-decimals
    return 0.0
