"""PCOC of the clicked rows of each exposure value, with intervals over units."""

import numpy as np

from postclick.judging.exposure.levels import MISSING, Levels
from postclick.judging.exposure.result import ExposureValue
from postclick.judging.exposure.score import Floats, Ints


def by_value(
    p: Floats, v: Floats, w: Floats, unit: Ints, cut: Levels, rates: Floats | None, z: float
) -> tuple[ExposureValue, ...]:
    """One entry for each level, and a last one for rows whose exposure is missing.

    The interval of a PCOC is normal on the logarithm, the variance that of linearized sums of
    units (delta method); z is its quantile. Shapes: `p`, `v`, `w`, `unit` `(n,)`, `rates` `(k,)`.

    >>> cut = Levels("numeric", np.array([0, 0, 1]), ("1", "2"))
    >>> p, v = np.array([0.5, 0.7, 0.2]), np.array([1.0, 0.0, 0.0])
    >>> [one.pcoc for one in by_value(p, v, np.ones(3), np.arange(3), cut, None, 1.96)]
    [1.2, None]
    """
    found = []
    names = [*cut.names, *([MISSING] if np.any(cut.of_row < 0) else [])]
    for k, name in enumerate(names):
        rows = np.flatnonzero(cut.of_row == (k if k < len(cut.names) else -1))
        own = w[rows]
        size, predicted, observed = (
            float(own.sum()), float(own @ p[rows]), float(own @ v[rows]),
        )  # fmt: skip
        pcoc, low, high = None, None, None
        if observed > 0.0:
            pcoc = predicted / observed
        if pcoc:
            # The logarithm of a ratio of sums, linearized, summed by unit.
            part = own * (p[rows] / predicted - v[rows] / observed)
            sums = np.bincount(np.unique(unit[rows], return_inverse=True)[1], part)
            if sums.size > 1:
                error = float(np.sqrt(sums @ sums * sums.size / (sums.size - 1)))
                low, high = pcoc * float(np.exp(-z * error)), pcoc * float(np.exp(z * error))
        rate = None if rates is None or k >= len(cut.names) else float(rates[k])
        found.append(
            ExposureValue(
                name,
                rows.size,
                int(v[rows].sum()),
                rate,
                predicted / size,
                observed / size,
                pcoc,
                low,
                high,
            )
        )
    return tuple(found)
