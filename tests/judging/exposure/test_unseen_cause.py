"""The exposure test as a whole: its size, its power, and what does not change it."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit  # type: ignore[import-untyped]

from postclick.judging.exposure import exposure_test
from postclick.judging.exposure.hidden_world import SEEN, UNSEEN

Array = NDArray[Any]
POSITIONS = np.arange(1, 11)


def null_in_units(rng: np.random.Generator, units: int, rows: int) -> dict[str, Array]:
    """Clicked rows of a model that is right but for level and spread; nothing is unseen.

    All rows of a unit have nearly the same position and convert together, so that rows alone are
    far from independent: what the unit does is noise about the model, not an effect of position.
    """
    unit = np.repeat(np.arange(units), rows)
    own = rng.integers(1, 11, units)[unit]
    position = np.where(rng.random(unit.size) < 0.9, own, rng.integers(1, 11, unit.size))
    seen, shared = rng.normal(size=unit.size), rng.normal(0, 1.2, units)[unit]
    return {
        "pcvr": expit(-0.7 + 0.6 * seen),
        "conversion": rng.random(unit.size) < expit(-1.5 + seen + shared),
        "exposure": position,
        "unit": unit,
    }


def hidden(
    rng: np.random.Generator, rows: int, sign: int = 1, strength: float = 1.0
) -> tuple[dict[str, Array], dict[int, float]]:
    """Clicked rows under an unseen cause, of the model that is right over all clicks."""
    position = rng.integers(1, 11, rows)
    seen, cause = rng.normal(0, SEEN, rows), rng.normal(0, UNSEEN, rows)
    click = rng.random(rows) < expit(0.5 - 1.3 * np.log(position) + seen + cause)
    converts = rng.random(rows) < expit(-2 + sign * np.sqrt(strength) * cause)
    ctr = {int(k): float(click[position == k].mean()) for k in POSITIONS}
    # The model learns how the clicked convert by what is seen: fitted on the other half.
    half = np.arange(rows) % 2 == 0
    basis = np.column_stack([np.ones(rows), seen])
    fitted = np.zeros(2)
    x, v = basis[click & half], converts[click & half]
    for _ in range(20):
        mean = expit(x @ fitted)
        fitted += np.linalg.solve((x * (mean * (1 - mean))[:, None]).T @ x, x.T @ (v - mean))
    judged = click & ~half
    columns = {"pcvr": expit(basis @ fitted), "conversion": converts, "exposure": position}
    return {name: column[judged] for name, column in columns.items()}, ctr


@pytest.mark.slow
def test_size_holds_in_units_and_not_by_rows() -> None:
    rng, ctr = np.random.default_rng(0), dict(zip(range(1, 11), 0.4 / POSITIONS, strict=True))
    found = []
    for _ in range(300):
        rows = null_in_units(rng, 250, 8)
        by_unit = exposure_test(**rows, ctr=ctr)
        alone = exposure_test(**(rows | {"unit": None}), ctr=ctr)
        assert by_unit.trend and by_unit.omnibus and alone.trend and alone.omnibus
        found.append([one.p for t in (by_unit, alone) for one in (t.trend, t.omnibus)])
    trend, omnibus, trend_by_rows, omnibus_by_rows = (np.array(found) < 0.05).mean(axis=0)
    assert 0.02 < trend < 0.085
    assert 0.015 < omnibus < 0.085
    assert trend_by_rows > 0.12 and omnibus_by_rows > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("conversions", [60, 400])
def test_size_with_few_conversions(conversions: int) -> None:
    rng, ctr = np.random.default_rng(1), dict(zip(range(1, 11), 0.4 / POSITIONS, strict=True))
    share = 1 / POSITIONS / (1 / POSITIONS).sum()  # of clicks, where all are shown alike
    alarms = []
    for _ in range(400):
        truth = rng.normal(-2, 1, conversions * 6)
        rows = rng.random(truth.size) < expit(truth), rng.choice(POSITIONS, truth.size, p=share)
        found = exposure_test(expit(truth), *rows, ctr=ctr)
        assert found.trend
        alarms.append([found.trend.p < 0.05, found.omnibus is not None and found.omnibus.p < 0.05])
    trend, omnibus = np.mean(alarms, axis=0)
    assert 0.025 < trend < 0.08
    # With 60 in all hardly any value holds enough for a test of its own.
    assert omnibus < 0.02 if conversions == 60 else 0.015 < omnibus < 0.08


@pytest.mark.parametrize(("sign", "verdict"), [(1, "too_high"), (-1, "too_low")])
def test_an_unseen_cause_is_found_with_its_direction_and_strength(sign: int, verdict: str) -> None:
    rows, ctr = hidden(np.random.default_rng(2), 120_000, sign)
    found = exposure_test(**rows, ctr=ctr, name="position")
    assert found.verdict == verdict
    assert found.trend is not None and found.trend.strength is not None
    assert found.trend.strength == pytest.approx(1 if sign > 0 else -1.4, abs=0.35)
    first, last = found.values[0].pcoc, found.values[-1].pcoc
    assert first is not None and last is not None
    assert (first > 1 > last) if sign > 0 else (first < 1 < last)
    ranked = exposure_test(**rows, name="position")
    assert ranked.verdict == verdict and ranked.power is None


def test_predicted_power_is_what_is_found() -> None:
    rng = np.random.default_rng(3)
    found = [
        exposure_test(**rows, ctr=ctr) for rows, ctr in (hidden(rng, 12_000) for _ in range(60))
    ]
    predicted = np.mean([one.power for one in found])
    alarms = np.mean([one.verdict == "too_high" for one in found])
    assert 0.3 < predicted < 0.9, "the case can tell"
    assert alarms == pytest.approx(predicted, abs=0.15)
    assert np.mean([one.trend.strength for one in found if one.trend]) == pytest.approx(1, abs=0.3)


def test_pctr_takes_what_goes_with_how_clickable_a_row_is() -> None:
    rng, rows = np.random.default_rng(4), 200_000
    position, seen = rng.integers(1, 11, rows), rng.normal(0, 1.3, rows)
    click = rng.random(rows) < expit(0.5 - 2 * np.log(position) + seen)
    converts = rng.random(rows) < expit(-2 + 0.7 * seen)
    ctr = {int(k): float(click[position == k].mean()) for k in POSITIONS}
    coarse = np.full(rows, converts[click].mean())
    given = coarse[click], converts[click], position[click]
    blind = exposure_test(*given, ctr=ctr)
    told = exposure_test(*given, ctr=ctr, pctr=expit(seen - 1.5)[click])
    assert blind.verdict == "too_high", "a model that reads nothing: who clicks buys"
    assert told.verdict == "none"


def test_recalibration_changes_no_test() -> None:
    rows, ctr = hidden(np.random.default_rng(5), 20_000)
    one = exposure_test(**rows, ctr=ctr)
    other = exposure_test(**(rows | {"pcvr": expit(1.1 + 0.5 * logit(rows["pcvr"]))}), ctr=ctr)
    assert one.trend and other.trend and one.omnibus and other.omnibus
    assert one.trend.z == pytest.approx(other.trend.z, rel=1e-8)
    assert one.omnibus.chi_square == pytest.approx(other.omnibus.chi_square, rel=1e-8)
    assert one.pcoc != other.pcoc


def test_weights_count_as_copies_within_units_and_rows_have_no_order() -> None:
    rng = np.random.default_rng(6)
    rows = null_in_units(rng, 120, 6)
    weight = rng.integers(0, 4, 720)
    ctr = dict(zip(range(1, 11), 0.4 / POSITIONS, strict=True))
    weighted = exposure_test(**rows, weight=weight, ctr=ctr)
    copies = rng.permutation(np.repeat(np.arange(720), weight))
    copied = exposure_test(**{name: column[copies] for name, column in rows.items()}, ctr=ctr)
    assert weighted.trend and copied.trend and weighted.omnibus and copied.omnibus
    assert weighted.trend.z == pytest.approx(copied.trend.z, rel=1e-8)
    assert weighted.omnibus.chi_square == pytest.approx(copied.omnibus.chi_square, rel=1e-8)
    assert weighted.rows == np.count_nonzero(weight), "rows are counted, whatever they weigh"
    for one, other in zip(weighted.values, copied.values, strict=True):
        assert one.pcoc == pytest.approx(other.pcoc) and one.ctr == other.ctr
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_intervals_are_those_of_a_bootstrap_of_units() -> None:
    rng = np.random.default_rng(7)
    rows = null_in_units(rng, 400, 6)
    found = exposure_test(**rows).values[3]
    assert found.low is not None and found.high is not None
    here = rows["exposure"] == 4
    p, v, unit = (rows[name][here] for name in ("pcvr", "conversion", "unit"))
    number = np.unique(unit, return_inverse=True)[1]
    sums = np.column_stack([np.bincount(number, p), np.bincount(number, v)])
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), 4_000) @ sums
    spread = np.log(drawn[:, 0] / drawn[:, 1]).std()
    assert np.log(found.high / found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.1)
    assert found.pcoc == pytest.approx(p.sum() / v.sum())


def test_a_model_that_reads_the_exposure_is_not_tested() -> None:
    rows, ctr = hidden(np.random.default_rng(8), 20_000)
    found = exposure_test(**rows, ctr=ctr, name="position", reads_exposure=True)
    assert found.verdict == "untested" and found.trend is None and found.omnibus is None
    assert found.sentence.startswith("No test of an unseen cause by position: the model reads")
    assert found.values[0].pcoc is not None


def test_categories_need_click_rates_for_a_direction() -> None:
    rows, ctr = hidden(np.random.default_rng(9), 120_000)
    slots = np.array([f"slot {k}" for k in range(11)])
    named = rows | {"exposure": slots[rows["exposure"]]}
    without = exposure_test(**named, name="slot")
    assert without.trend is None and without.verdict == "uneven"
    assert without.undefined == "values of slot have no order without click rates: give ctr"
    told = exposure_test(**named, ctr={f"slot {k}": rate for k, rate in ctr.items()}, name="slot")
    assert told.verdict == "too_high"
    assert told.trend == pytest.approx(exposure_test(**rows, ctr=ctr).trend)


def test_values_that_get_the_same_clicks_have_no_trend() -> None:
    rows, _ = hidden(np.random.default_rng(10), 20_000)
    found = exposure_test(**rows, ctr=dict.fromkeys(range(1, 11), 0.1), name="position")
    assert found.trend is None and found.omnibus is not None
    assert found.undefined == "all values of position get the same clicks"


def test_summary_is_json_and_has_everything() -> None:
    rows, ctr = hidden(np.random.default_rng(11), 20_000)
    found = json.loads(json.dumps(exposure_test(**rows, ctr=ctr).as_dict(), allow_nan=False))
    assert found["trend"]["ordering"] == "ctr" and len(found["values"]) == 10
    assert {"sentence", "assumption", "power", "detectable", "verdict", "p"} <= found.keys()


@pytest.mark.parametrize(
    ("conversion", "exposure", "reason"),
    [
        ([], [], "clicked rows have 0 values of exposure"),
        ([1] * 30, [1, 2] * 15, "clicked rows have 30 conversions and 0 clicks without one"),
        ([0] * 29 + [1], [1, 2] * 15, "clicked rows have 1 conversion and 29 clicks"),
        ([0, 1] * 15, [3] * 30, "clicked rows have 1 value of exposure"),
        ([0, 1] * 15, [np.nan] * 30, "clicked rows have 0 values of exposure"),
        ([0, 1] * 15, [np.nan] + [2] * 29, "clicked rows have 1 value of exposure"),
    ],
)
def test_what_cannot_be_tested_says_why(
    conversion: list[int], exposure: list[float], reason: str
) -> None:
    found = exposure_test(np.full(len(conversion), 0.2), conversion, exposure)
    assert found.verdict == "untested" and found.p is None
    assert found.undefined is not None and found.undefined.startswith(reason)
    json.dumps(found.as_dict(), allow_nan=False)


def test_few_units_are_not_tested() -> None:
    v, e, unit = [0, 0, 1] * 20, [1, 2, 3, 4] * 15, [5] * 30 + [6] * 30
    found = exposure_test(np.full(60, 0.3), v, e, unit=unit)
    assert found.undefined == "clicked rows are of 2 units, and 10 are needed"


def test_values_of_few_conversions_are_tested_together() -> None:
    rng = np.random.default_rng(12)
    truth = rng.normal(-2, 1, 600)
    v, e = rng.random(600) < expit(truth), rng.integers(1, 11, 600)
    some = exposure_test(expit(truth), v, e)
    assert some.omnibus is not None and 1 <= some.omnibus.df <= 4
    few = exposure_test(expit(truth)[:150], v[:150], e[:150])
    assert few.omnibus is None and few.trend is not None and few.verdict == "none"
    slots = np.char.add("slot ", e[:150].astype(str))
    named = exposure_test(expit(truth)[:150], v[:150], slots, name="slot")
    assert named.verdict == "untested"
    assert named.undefined == "there are too few conversions for each value of slot"


def test_numpy_is_enough() -> None:
    code = (
        "import sys, postclick.judging.exposure as _\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'polars'}\n"
        "print({name.partition('.')[0] for name in sys.modules} & heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
