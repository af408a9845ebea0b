"""PCOC of the clicked rows of each exposure value, with intervals over units."""

import numpy as np

from postclick.judging.exposure.clicked_rows import ClickedRows, Floats
from postclick.judging.exposure.levels import MISSING, Levels
from postclick.judging.exposure.result import ExposureValue


def by_value(
    rows: ClickedRows, cut: Levels, rates: Floats | None, z: float
) -> tuple[ExposureValue, ...]:
    """One entry for each level, and a last one for rows whose exposure is missing.

    The interval of a PCOC is normal on the logarithm, its variance that of linearized sums of
    units (delta method); z is its quantile. `rates` are the click rates of the levels, `(k,)`.

    >>> rows = ClickedRows.checked([0.5, 0.7, 0.2], [1, 0, 0], [1, 1, 2])
    >>> cut = Levels("numeric", np.array([0, 0, 1]), ("1", "2"))
    >>> [one.pcoc for one in by_value(rows, cut, None, 1.96)]
    [1.2, None]
    """
    found = [
        _judged(rows.where(cut.of_row == k), name, None if rates is None else float(rates[k]), z)
        for k, name in enumerate(cut.names)
    ]
    missing = cut.of_row < 0
    if missing.any():
        found.append(_judged(rows.where(missing), MISSING, None, z))
    return tuple(found)


def _judged(rows: ClickedRows, name: str, ctr: float | None, z: float) -> ExposureValue:
    size = float(rows.weight.sum())
    predicted = float(rows.weight @ rows.pcvr)
    observed = float(rows.weight @ rows.conversion)
    pcoc, low, high = None, None, None
    if observed > 0.0:
        pcoc = predicted / observed
    if pcoc and rows.units > 1:
        share = rows.weight * (rows.pcvr / predicted - rows.conversion / observed)
        sums = np.bincount(rows.unit, share)
        error = float(np.sqrt(sums @ sums * sums.size / (sums.size - 1)))
        low, high = pcoc * float(np.exp(-z * error)), pcoc * float(np.exp(z * error))
    return ExposureValue(
        value=name,
        rows=rows.pcvr.size,
        conversions=rows.conversions,
        ctr=ctr,
        predicted=predicted / size,
        observed=observed / size,
        pcoc=pcoc,
        low=low,
        high=high,
    )
