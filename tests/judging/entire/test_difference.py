"""Paired differences of two models against differences of resampled units."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.entire_population import Log, draw
from postclick.errors import InputError
from postclick.judging.entire import EntireEstimates, entire_differences, estimate_entire

KEYS = [(metric, name) for metric in ("pcoc", "nll", "auc") for name in ("snipw", "dr")]


def judged(log: Log) -> EntireEstimates:
    return estimate_entire(log.clicked(), log.everyone(), clip=0.2)


def test_standard_errors_are_those_of_resampled_units() -> None:
    log = draw(seed=6, rows=3_000, units=400)
    other = replace(log, pcvr=0.5 * log.pcvr + 0.25 * np.random.default_rng(0).random(3_000))
    found = {(d.metric, d.estimator): d for d in entire_differences(judged(log), judged(other))}
    assert list(found) == KEYS
    rng = np.random.default_rng(0)
    drawn: dict[tuple[str, str], list[float]] = {key: [] for key in KEYS}
    for _ in range(200):
        weight = log.weight * rng.poisson(1.0, log.units)[log.unit]
        a, b = (judged(replace(one, weight=weight)) for one in (log, other))
        for key in KEYS:
            values = [one.get(*key).value for one in (a, b)]  # type: ignore[arg-type]
            drawn[key].append(values[0] - values[1])  # type: ignore[operator]
    a, b = judged(log), judged(other)
    for key, one in found.items():
        assert one.value == pytest.approx(a.get(*key).value - b.get(*key).value)  # type: ignore
        assert one.standard_error == pytest.approx(np.std(drawn[key]), rel=0.2), key


def test_a_model_does_not_differ_from_itself() -> None:
    log = draw(seed=7)
    for one in entire_differences(judged(log), judged(log)):
        assert (one.value, one.low, one.high) == (0.0, 0.0, 0.0)


def test_what_is_undefined_on_either_side_is_undefined() -> None:
    log = draw(seed=8)
    wrong = replace(log, pcvr=np.where(log.conversion, 0.0, log.pcvr))
    for a, b in ((log, wrong), (wrong, log)):
        found = {(d.metric, d.estimator): d for d in entire_differences(judged(a), judged(b))}
        assert found["nll", "dr"].undefined == "infinite: a prediction of exactly 0 or 1 was wrong"


def test_other_rows_are_refused() -> None:
    with pytest.raises(InputError, match="of other rows, units or clips"):
        entire_differences(judged(draw(seed=1)), judged(draw(seed=2)))
