"""The constant that gives logits a rate."""

import numpy as np
from scipy.special import expit

from postclick.datasets.simulated.population import Floats

BINS = 8_192


def intercept(logit: Floats, weight: Floats, target: float) -> float:
    """What to add to `logit` so that its sigmoid's weighted mean is `target`.

    Found by bisection on a histogram of the logits, each bin at its mean: with bins this narrow
    the error of the mean is below a millionth of the target.

    >>> round(intercept(np.zeros(2), np.ones(2), 0.2), 4)
    -1.3863
    """
    low = float(logit.min())
    scale = (BINS - 1) / max(float(logit.max()) - low, 1e-9)
    place = ((logit - low) * scale).astype(np.intp)
    mass = np.bincount(place, weights=weight, minlength=BINS)
    total = np.bincount(place, weights=weight * logit, minlength=BINS)
    used = mass > 0
    mass, centre = mass[used], total[used] / mass[used]
    below, above = -100.0, 100.0
    for _ in range(60):
        middle = 0.5 * (below + above)
        if np.average(expit(centre + middle), weights=mass) < target:
            below = middle
        else:
            above = middle
    return 0.5 * (below + above)
