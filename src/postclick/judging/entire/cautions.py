"""What the weights themselves tell against an estimate, in words."""

from postclick.judging.entire.weights import InverseWeights
from postclick.spelling import counted

# Share of weight that the clip may cut, conversions that an interval needs, and how far from 1 the
# weight of an impression may be.
CLIPPED, CONVERSIONS, OFF = 0.05, 30, 0.2
# A clip of this share of the CTR rarely cuts much.
OF_CTR = 1 / 50


def cautions(weights: InverseWeights, weight_per_impression: float, ctr: float) -> tuple[str, ...]:
    """Sentences on clipping, on few conversions, and on propensities that are off on average.

    None of them can tell whether the assumption holds.

    >>> import numpy as np
    >>> few = InverseWeights(np.ones(9), 0.01, 0.5, 0.2, 9.0, 2.5, 4)
    >>> for line in cautions(few, 1.0, 0.05): print(line)
    the clip of 0.01 cuts 20 % of the weight, of what is clicked least: try 0.001
    4 conversions count like 2: intervals are a rough guide
    """
    found = []
    lower = float(f"{ctr * OF_CTR:.1g}")
    if weights.clipped_weight_share > CLIPPED:
        mend = f": try {lower:g}" if lower < weights.clip else ""
        found.append(
            f"the clip of {weights.clip:g} cuts {100 * weights.clipped_weight_share:.0f} % of the "
            f"weight, of what is clicked least{mend}"
        )
    if 0 < weights.effective_conversions < CONVERSIONS:
        found.append(
            f"{counted(weights.conversions, 'conversion counts', 'conversions count')} like "
            f"{weights.effective_conversions:.0f}: intervals are a rough guide"
        )
    if weights.conversions and abs(weight_per_impression - 1.0) > OFF:
        found.append(
            f"1 / propensity sums to {weight_per_impression:.2f} per impression where right "
            "propensities give 1: they are off on average, or the clip cuts much"
        )
    return tuple(found)
