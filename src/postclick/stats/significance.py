"""Methods against a reference over seeds: gain, interval, effect size, and three tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from postclick.errors import InputError
from postclick.metrics.catalogue import Figure, figure_named
from postclick.stats.interval import tail
from postclick.stats.paired import PairedResult, holm, losses_by_seed, paired_test
from postclick.stats.seed_tests import WelchResult, WilcoxonResult, welch_test, wilcoxon_test
from postclick.stats.student import t_quantile
from postclick.suggest import meant


@dataclass(frozen=True)
class Significance:
    """One method against the reference by one metric, over paired seeds.

    Attributes:
        gain: how much better `method` is than `against`, the mean over seeds in units of the
            metric; above 0 in favour of `method`. For PCOC and bias, of the distances to 1 and 0.
        low, high: t interval of the gain at `level`; None without two seeds or without spread.
        effect_size: Cohen's d_z, the gain over the standard deviation of its pairs (n - 1).
        paired, wilcoxon, welch: the tests, each with its reason where it has no p.
        paired_holm, wilcoxon_holm, welch_holm: their p-values, adjusted over all methods.
    """

    metric: str
    method: str
    against: str
    seeds: int
    gain: float | None
    level: float
    low: float | None
    high: float | None
    effect_size: float | None
    paired: PairedResult
    wilcoxon: WilcoxonResult
    welch: WelchResult
    paired_holm: float | None
    wilcoxon_holm: float | None
    welch_holm: float | None


def significance(
    values: Mapping[str, Sequence[float]],
    metric: str | Figure,
    *,
    against: str | None = None,
    level: float = 0.95,
) -> tuple[Significance, ...]:
    """Every method against one of them, in the order given; p-values Holm-corrected over methods.

    `values` maps a method to its metric by seed, the same seeds in the same order for all.
    `against` names the reference. Left out, it is the method that is best on average: chosen by
    the data that then test it, so a single p below .05 says less than it seems (`supported_best`
    asks for all of them and stays at its level). A test without p counts in Holm's family as 1.

    Raises `InputError` for an unknown metric or reference, unequal numbers of seeds, values that
    are not finite, or a level outside (0, 1).

    Source: Cohen, "Statistical power analysis for the behavioral sciences", 1988 (d_z).

    >>> seeds = {"esmm": [0.62, 0.63, 0.61, 0.62], "evi": [0.66, 0.68, 0.65, 0.67]}
    >>> (found,) = significance(seeds, "cvr_auc", against="esmm")
    >>> found.method, round(found.gain, 4), round(found.low, 4), round(found.high, 4)
    ('evi', 0.045, 0.0358, 0.0542)
    >>> round(found.effect_size, 2), round(found.paired.p, 4), found.wilcoxon.p
    (7.79, 0.0006, 0.125)
    """
    entry = figure_named(metric) if isinstance(metric, str) else metric
    tail(level)  # refuses a level that is none, also where there is nothing to test
    losses = losses_by_seed(values, entry)
    if against is not None and against not in losses:
        raise InputError(
            f"there is no method '{against}'{meant(against, losses)}"
            f" to test against: {', '.join(losses)}"
        )
    if len(losses) < 2:
        return ()
    if against is None:
        against = min(losses, key=lambda name: _mean(losses[name]))
    reference = losses[against]
    others = {name: loss for name, loss in losses.items() if name != against}
    paired = [paired_test(reference, loss) for loss in others.values()]
    wilcoxon = [wilcoxon_test(reference, loss) for loss in others.values()]
    welch = [welch_test(reference, loss) for loss in others.values()]
    adjusted = (
        _holm([one.p for one in paired]),
        _holm([one.p for one in wilcoxon]),
        _holm([one.p for one in welch]),
    )
    found = []
    for k, name in enumerate(others):
        low, high, effect_size = _effect(paired[k], level)
        found.append(
            Significance(
                metric=entry.name,
                method=name,
                against=against,
                seeds=reference.size,
                gain=paired[k].mean_difference,
                level=level,
                low=low,
                high=high,
                effect_size=effect_size,
                paired=paired[k],
                wilcoxon=wilcoxon[k],
                welch=welch[k],
                paired_holm=adjusted[0][k],
                wilcoxon_holm=adjusted[1][k],
                welch_holm=adjusted[2][k],
            )
        )
    return tuple(found)


def _mean(loss: NDArray[np.float64]) -> float:
    return float(loss.mean()) if loss.size else 0.0


def _effect(test: PairedResult, level: float) -> tuple[float | None, float | None, float | None]:
    """The ends of the t interval, and d_z."""
    if test.mean_difference is None or not test.sd:
        return None, None, None
    half = t_quantile(level, test.n - 1) * test.sd / sqrt(test.n)
    mean = test.mean_difference
    return mean - half, mean + half, mean / test.sd


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return [None if p is None else q for p, q in zip(p_values, adjusted, strict=True)]
