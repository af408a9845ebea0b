"""Whether a model that does not read the exposure is right at every exposure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from postclick.judging.exposure.by_value import by_value
from postclick.judging.exposure.clicked_rows import ClickedRows, Floats
from postclick.judging.exposure.hypotheses import (
    omnibus,
    ordering,
    power,
    trend,
    verdict,
)
from postclick.judging.exposure.levels import Kind, Levels, ctr_of_levels, ctr_of_rows, levels
from postclick.judging.exposure.result import ExposureTest, Omnibus, Trend
from postclick.judging.exposure.score import level_scores, nuisance
from postclick.judging.exposure.words import assumption, sentence
from postclick.metrics.inputs import vector
from postclick.spelling import counted
from postclick.stats.interval import normal_quantile
from postclick.stats.power import detectable_difference

# Fewer conversions, or clicked rows without one, or units, leave a normal z too rough.
LEAST = 10


def exposure_test(
    pcvr: ArrayLike,
    conversion: ArrayLike,
    exposure: ArrayLike,
    *,
    ctr: Mapping[Any, float] | ArrayLike | None = None,
    pctr: ArrayLike | None = None,
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

    The **trend** is a score test of a logistic regression of conversions on the shift that an
    unseen cause would bring at each exposure value, in which intercept, slope and curvature of a
    recalibration of pCVR are projected out: a model with a wrong level or spread that is right
    otherwise gives no alarm. The shift is computed from the click rate of the value for a normal
    cause as strong as in the simulated world `hidden`, so that the coefficient (`strength`) is 1
    there. Without click rates values are ordered by rank, the lowest taken to get most clicks.
    The **omnibus** test allows any differences between values. Both take rows of a unit (a user, a
    request) as dependent.

    The rows that are clicked at a value that few click are the more clickable ones. A model whose
    errors go with that (a coarse one, where who clicks buys) is then wrong by exposure without any
    cause unseen. Give `pctr` and its logit is projected out, too.

    Args:
        pcvr: shape (n,), probabilities in [0, 1]; of rows that the model was not trained on.
        conversion: shape (n,), 0 or 1.
        exposure: shape (n,), numbers or texts; missing ones are shown, not tested.
        ctr: clicks over impressions of each exposure value among **all** impressions: a mapping
            from value to rate, or shape (n,), the rate of each row's value.
        pctr: shape (n,), probability of a click by a model that does **not** read the exposure, or
            reads it at one fixed value in all rows.
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
    z = normal_quantile(level)
    rows = ClickedRows.checked(pcvr, conversion, exposure, weight, unit, pctr)
    kept = rows.weight > 0.0
    if ctr is not None and not isinstance(ctr, Mapping):
        ctr = vector("ctr", ctr, kept.size)[kept]
    rows = rows.where(kept)
    cut = levels(rows.exposure, kind)
    rates = None
    if ctr is not None:
        of_rows = ctr_of_rows(ctr, rows.exposure, cut.of_row < 0)
        rates = ctr_of_levels(of_rows, cut, rows.weight)
    tests = _tests(rows, cut, rates, reads_exposure, name, z)
    error = None if tests.trend is None else tests.trend.standard_error
    total = float(rows.weight @ rows.conversion)
    found = ExposureTest(
        name=name,
        kind=cut.kind,
        level=level,
        rows=rows.pcvr.size,
        conversions=rows.conversions,
        units=rows.units,
        pcoc=float(rows.weight @ rows.pcvr) / total if total else None,
        values=by_value(rows, cut, rates, z),
        trend=tests.trend,
        omnibus=tests.omnibus,
        verdict=verdict(tests.trend, tests.omnibus, 1.0 - level),
        power=None if error is None else power(1.0, error, level),
        detectable=None if error is None else detectable_difference(error, level),
        undefined=tests.undefined,
        assumption=assumption(name, rates is not None, randomised),
    )
    return replace(found, sentence=sentence(found))


class _Tests(NamedTuple):
    """The two tests, and why one or both are not there."""

    trend: Trend | None = None
    omnibus: Omnibus | None = None
    undefined: str | None = None


def _tests(
    rows: ClickedRows, cut: Levels, rates: Floats | None, reads_exposure: bool, name: str, z: float
) -> _Tests:
    known = cut.of_row >= 0
    rows, of_row, k = rows.where(known), cut.of_row[known], len(cut.names)
    reason = _untestable(rows, k, name, reads_exposure)
    if reason is not None:
        return _Tests(undefined=reason)
    columns = nuisance(rows.pcvr, rows.pctr)
    scores = level_scores(columns, rows.conversion, of_row, k, rows.weight, rows.unit)
    if scores is None:
        return _Tests(undefined="conversions can be told from the rest without error")
    any_way = omnibus(scores)
    cvr = float(np.average(rows.conversion, weights=rows.weight))
    ordered = ordering(cut, rates, cvr)
    if ordered is None:
        reason = f"values of {name} have no order without click rates: give ctr"
        if any_way is None:
            reason = f"there are too few conversions for each value of {name}"
        return _Tests(None, any_way, reason)
    along = trend(scores, ordered, rates is not None, z)
    reason = f"all values of {name} get the same clicks" if along is None else None
    return _Tests(along, any_way, reason)


def _untestable(rows: ClickedRows, values: int, name: str, reads_exposure: bool) -> str | None:
    """Why nothing can be tested, in words that follow "no test"; None if it can."""
    if reads_exposure:
        return (
            f"the model reads {name}, so it fits each value whatever drives clicks; judge a model "
            "that does not read it"
        )
    if values < 2:
        return f"clicked rows have {counted(values, 'value')} of {name}"
    converted, others = rows.conversions, rows.pcvr.size - rows.conversions
    if min(converted, others) < LEAST:
        return (
            f"clicked rows have {counted(converted, 'conversion')} and {counted(others, 'click')} "
            f"without one, and {LEAST} of each are needed"
        )
    if rows.units < LEAST:
        return f"clicked rows are of {rows.units} units, and {LEAST} are needed"
    return None
