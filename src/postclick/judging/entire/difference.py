"""Two models on the same log: how far their estimates over all impressions are apart."""

from postclick.errors import InputError
from postclick.judging.entire.estimate import Estimate, estimate
from postclick.judging.entire.estimates import EntireEstimates

# The mean CVR is the log's, not a model's.
COMPARED = ("pcoc", "nll", "auc")


def entire_differences(
    a: EntireEstimates, b: EntireEstimates, level: float = 0.95
) -> tuple[Estimate, ...]:
    """Estimates of a minus those of b, of PCOC, NLL and AUC, with paired intervals.

    Both are of the same clicked rows, propensities and units; what they share, such as which rows
    were clicked, cancels: influences are subtracted unit by unit. The assumptions are those of the
    estimates.

    Raises `InputError` where the two are not of the same log or clip.

    >>> import numpy as np
    >>> from postclick.judging.entire import ClickedRows, UnitTotals, estimate_entire
    >>> conversion, found = np.arange(90) % 3 == 0, []
    >>> for pcvr in (0.3 + 0.1 * conversion, np.full(90, 0.3)):
    ...     everyone = UnitTotals(90)
    ...     everyone.add(pcvr, np.arange(90))
    ...     rows = ClickedRows.of(pcvr, conversion, np.full(90, 0.5), np.arange(90))
    ...     found.append(estimate_entire(rows, everyone))
    >>> nll = next(one for one in entire_differences(*found) if one.metric == "nll")
    >>> f"{nll.estimator}: {nll.value:.3f} ({nll.low:.3f} to {nll.high:.3f})"
    'snipw: -0.096 (-0.125 to -0.067)'
    """
    if _rests_on(a) != _rests_on(b):
        raise InputError(
            "the two estimates are of other rows, units or clips; judge both models on the same "
            "log with the same clip"
        )
    return tuple(
        _difference(one, b.get(one.metric, one.estimator), a.units, level)
        for one in a.estimates
        if one.metric in COMPARED
    )


def _rests_on(one: EntireEstimates) -> tuple[float, ...]:
    return one.clicked, one.weights.conversions, one.impressions, one.units, one.weights.clip


def _difference(a: Estimate, b: Estimate, units: int, level: float) -> Estimate:
    if a.value is None or a.influence is None:
        return a
    if b.value is None or b.influence is None:
        return b
    apart = a.influence - b.influence
    return estimate(a.metric, a.estimator, a.value - b.value, apart, units, "plain", level)
