"""Whether a model that does not read the exposure is right at every exposure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from postclick.errors import InputError
from postclick.judging.exposure.by_value import by_value
from postclick.judging.exposure.hypotheses import omnibus, order, power, quantile, trend, verdict
from postclick.judging.exposure.levels import Kind, Levels, ctr_of_levels, ctr_of_rows, levels
from postclick.judging.exposure.result import ExposureTest
from postclick.judging.exposure.score import Floats, Ints, Scores, level_scores
from postclick.judging.exposure.tails import NORMAL
from postclick.judging.exposure.words import assumption, sentence
from postclick.metrics.inputs import as_labels, finite_vector, in_range, vector

# Of the simulated world `hidden`: 1.68 sqrt(.4) in the click logit, as much in the conversion's.
HIDDEN_DEPENDENCE = 1.68**2 * 0.4
# Fewer conversions, or clicked rows without one, or units, leave a normal z too rough.
LEAST = 10


def exposure_test(
    pcvr: ArrayLike,
    conversion: ArrayLike,
    exposure: ArrayLike,
    *,
    ctr: Mapping[Any, float] | ArrayLike | None = None,
    weight: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    name: str = "exposure",
    kind: Kind | None = None,
    reads_exposure: bool = False,
    randomised: bool = False,
    level: float = 0.95,
) -> ExposureTest:
    """PCOC of pCVR by exposure value on **clicked** rows, and a test for an unseen cause.

    The exposure moves clicks and not conversions: a position, a slot, a page. If nothing that the
    model does not read drives both, a model that does not read the exposure is right at every
    value of it. If something does, those who click where few click are the keener ones: among
    them the model is too low, among those who click where many do too high, and for impressions
    that nobody clicked it is too high. (The opposite if the cause drives the two in opposite
    directions.)

    The **trend** is a score test of a logistic regression of conversions on the recalibrated
    logit of pCVR and minus the click rate of the exposure value, in which intercept, slope and
    curvature of the recalibration are projected out: a model with a wrong level or spread that is
    right otherwise gives no alarm. The click rate is the score to which the expected shift of the
    conversion logit is proportional: for a small normal cause of standard deviations s in the
    click and t in the conversion logit, E[cause | click] shifts it by s t (1 - CTR). So the trend
    also estimates s t (`dependence`). Without click rates values are ordered by rank, the lowest
    taken to get most clicks. The **omnibus** test allows any differences between values. Both
    take rows of a unit (a user, a request) as dependent.

    Args:
        pcvr: shape (n,), probabilities in [0, 1]; of rows that the model was not trained on.
        conversion: shape (n,), 0 or 1.
        exposure: shape (n,), numbers or texts; missing ones are shown, not tested.
        ctr: clicks over impressions of each exposure value among **all** impressions: a mapping
            from value to rate, or shape (n,), the rate of each row's value.
        weight: shape (n,), how many rows each stands for; rows of weight 0 are left out.
        unit: shape (n,), whole numbers; None: each row is a unit of its own.
        name: of the exposure, for the words.
        kind: `numeric` or `categorical`; by default from the type of `exposure`.
        reads_exposure: whether pCVR is of a model that reads the exposure. Such a model fits each
            value whatever the cause, so nothing can be tested.
        randomised: whether values were assigned at random, for the words.
        level: of intervals; tests are at 1 - level.

    Raises:
        InputError: lengths that differ, values out of range, a value without a click rate.

    >>> rng = np.random.default_rng(0)
    >>> ctr = {1: 0.6, 2: 0.4, 3: 0.2}
    >>> position = rng.choice([1, 2, 3], 30_000)
    >>> unseen = rng.normal(size=30_000)
    >>> logit = np.log([9, 1.5, 2 / 3, 0.25])[position]
    >>> click = rng.random(30_000) < 1 / (1 + np.exp(-logit - unseen))
    >>> conversion = rng.random(30_000) < 1 / (1 + np.exp(2 - unseen))
    >>> pcvr = np.full(click.sum(), conversion[click].mean())
    >>> found = exposure_test(pcvr, conversion[click], position[click], ctr=ctr, name="position")
    >>> found.verdict, [round(one.pcoc, 2) for one in found.values]
    ('too_high', [1.07, 0.96, 0.9])
    """
    z = quantile(level)
    p = in_range("pcvr", pcvr, 0.0, 1.0).astype(np.float64)
    v = as_labels("conversion", conversion, p.size).astype(np.float64)
    given = np.asarray(exposure)
    if given.shape != p.shape:
        raise InputError(
            f"exposure has shape {given.shape} where pcvr has {p.shape}: give one value per row"
        )
    w = np.ones(p.size) if weight is None else _weights(weight, p.size)
    units = np.arange(p.size) if unit is None else _units(unit, p.size)
    kept = w > 0.0
    if ctr is not None and not isinstance(ctr, Mapping):
        ctr = finite_vector("ctr", ctr, p.size)[kept]
    p, v, w, given = p[kept], v[kept], w[kept], given[kept]
    units = np.unique(units[kept], return_inverse=True)[1]
    cut = levels(given, kind)
    rates = None
    if ctr is not None:
        rates = ctr_of_levels(ctr_of_rows(ctr, given, cut.of_row < 0), cut, w)
    reason, scores = _scores(p, v, w, units, cut, reads_exposure, name)
    along, any_way = None, None
    if scores is not None:
        any_way = omnibus(scores)
        ordered = order(cut, rates)
        if ordered is None:
            reason = f"values of {name} have no order without click rates: give ctr"
        else:
            along = trend(scores, ordered, rates is not None, z)
            reason = f"all values of {name} get the same clicks" if along is None else None
    error = None if along is None else along.standard_error
    total = float(w @ v)
    found = ExposureTest(
        name=name,
        kind=cut.kind,
        level=level,
        rows=p.size,
        conversions=int(v.sum()),
        units=int(units.max()) + 1 if units.size else 0,
        pcoc=float(w @ p) / total if total else None,
        values=by_value(p, v, w, units, cut, rates, z),
        trend=along,
        omnibus=any_way,
        verdict=verdict(along, any_way, 1.0 - level),
        power=None if error is None else power(HIDDEN_DEPENDENCE, error, level),
        detectable=None if error is None else (z + NORMAL.inv_cdf(0.8)) * error,
        undefined=reason,
        assumption=assumption(name, rates is not None, randomised),
    )
    return replace(found, sentence=sentence(found))


def _weights(weight: ArrayLike, rows: int) -> Floats:
    found: Floats = in_range("weight", weight, 0.0, np.inf, rows).astype(np.float64)
    return found


def _units(unit: ArrayLike, rows: int) -> Ints:
    found = vector("unit", unit, rows)
    if found.dtype.kind not in "iub":
        raise InputError(f"unit has dtype {found.dtype}: number the units, with whole numbers")
    return found.astype(np.int64)


def _scores(
    p: Floats, v: Floats, w: Floats, unit: Ints, cut: Levels, reads_exposure: bool, name: str
) -> tuple[str | None, Scores | None]:
    """Why there is no test, or what it is made from."""
    here = cut.of_row >= 0
    converted = int(np.count_nonzero(v[here]))
    others, units = int(np.count_nonzero(here)) - converted, np.unique(unit[here]).size
    if reads_exposure:
        return (
            f"the model reads {name}, so it fits each value whatever drives clicks; judge a model "
            "that does not read it",
            None,
        )
    if len(cut.names) < 2:
        return f"clicked rows have {len(cut.names)} value{'' if cut.names else 's'} of {name}", None
    if min(converted, others) < LEAST:
        return (
            f"{converted:,} conversions and {others:,} clicks without one, it needs {LEAST} of "
            "each",
            None,
        )
    if units < LEAST:
        return f"clicked rows are of {units} units, it needs {LEAST}", None
    number = np.unique(unit[here], return_inverse=True)[1]
    scores = level_scores(p[here], v[here], cut.of_row[here], len(cut.names), w[here], number)
    if scores is None:
        return "pCVR tells conversions from the rest without error", None
    return None, scores
