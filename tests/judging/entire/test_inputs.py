"""What estimates are made of: clicked rows, totals by unit, and weights."""

import numpy as np
import pytest

from helpers.entire_population import draw
from postclick.errors import InputError
from postclick.judging.entire import ClickedRows, UnitTotals, estimate_entire, inverse_weights
from postclick.judging.entire.inputs import BINS, logs, score_bin
from postclick.metrics.propensity import effective_sample_size


def test_totals_are_the_same_in_pieces_and_merged() -> None:
    log = draw(seed=3)
    whole, left, right = log.everyone(), UnitTotals(log.units), UnitTotals(log.units)
    half = np.arange(log.unit.size) < 170
    for totals, rows in ((left, half), (right, ~half)):
        for one in np.array_split(np.flatnonzero(rows), 3):
            totals.add(log.pcvr[one], log.unit[one], log.weight[one])
    left.merge(right)
    for name in ("size", "pcvr", "entropy", "size_by_score", "pcvr_by_score"):
        np.testing.assert_allclose(getattr(left, name), getattr(whole, name), rtol=1e-12)
    assert whole.impressions == log.weight.sum()
    for unit in (0, 5):
        mine = log.unit == unit
        assert whole.pcvr[unit] == pytest.approx((log.weight * log.pcvr)[mine].sum())


def test_certain_predictions_have_no_entropy() -> None:
    totals = UnitTotals(1)
    totals.add([0.0, 1.0, 1e-320], unit=[0, 0, 0])
    assert totals.entropy[0] == pytest.approx(0.0, abs=1e-300)
    assert totals.size_by_score[[0, -1]].tolist() == [2.0, 1.0]


def test_scores_are_binned_in_order() -> None:
    q = np.sort(np.random.default_rng(0).random(1_000))
    places = score_bin(logs(q)[2])
    assert (np.diff(places) >= 0).all()
    assert np.unique(places).size > 900
    assert score_bin(np.array([-1e9, 1e9])).tolist() == [0, BINS - 1]


def test_weights_and_what_is_told_of_them() -> None:
    rows = ClickedRows.of(
        [0.1] * 4, [0, 1, 1, 0], [0.5, 0.001, 0.2, 0.004], [0, 1, 2, 3], [1.0, 1.0, 2.0, 1.0]
    )
    found = inverse_weights(rows, clip=0.01)
    assert found.weight.tolist() == [2.0, 100.0, 10.0, 100.0]
    assert found.clipped_share == 0.5
    assert found.clipped_weight_share == pytest.approx(200 / 212)
    assert found.effective_sample_size == pytest.approx(effective_sample_size(found.weight))
    assert found.effective_conversions == pytest.approx(110**2 / (100**2 + 10**2))
    assert inverse_weights(rows, clip=0.0).clipped_share == 0.0


def test_joined_rows() -> None:
    log = draw(seed=4)
    whole = log.clicked()
    cut = [ClickedRows(*(v[:9] for v in vars(whole).values())) for _ in range(1)]
    cut.append(ClickedRows(*(v[9:] for v in vars(whole).values())))
    joined = ClickedRows.joined(cut)
    for name, values in vars(whole).items():
        np.testing.assert_array_equal(getattr(joined, name), values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pcvr": [0.1, 1.2]}, "pcvr lies outside [0, 1] on 1 of 2 rows"),
        ({"pcvr": [0.1, np.nan]}, "pcvr is NaN or infinite on 1 of 2 rows"),
        ({"conversion": [0, 2]}, "conversion is neither 0 nor 1 on 1 of 2 rows"),
        ({"propensity": [-0.1, 0.2]}, "propensity lies outside [0, 1] on 1 of 2 rows"),
        ({"propensity": [0.2]}, "propensity has 1 rows where 2 are expected"),
        ({"unit": [0, -1]}, "unit is out of range on 1 of 2 rows; number it from 0"),
        ({"unit": [0.0, 1.0]}, "unit has dtype float64; give whole numbers from 0"),
        ({"weight": [1.0, -1.0]}, "weight lies outside [0, inf] on 1 of 2 rows"),
    ],
)
def test_wrong_rows_are_refused(change: dict[str, list[float]], words: str) -> None:
    good = {"pcvr": [0.1, 0.2], "conversion": [0, 1], "propensity": [0.5, 0.2], "unit": [0, 1]}
    with pytest.raises(InputError) as caught:
        ClickedRows.of(**{**good, **change})  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_wrong_totals_are_refused() -> None:
    with pytest.raises(InputError, match="0 units; give 1 or more"):
        UnitTotals(0)
    with pytest.raises(InputError, match="unit is out of range on 1 of 1 rows; number it from 0"):
        UnitTotals(3).add([0.1], unit=[3])
    with pytest.raises(InputError, match="totals of 2 and of 3 units cannot be merged"):
        UnitTotals(3).merge(UnitTotals(2))


def test_what_does_not_fit_together_is_refused() -> None:
    rows = ClickedRows.of([0.1, 0.2], [0, 1], [0.5, 0.0], [0, 1])
    totals = UnitTotals(2)
    totals.add([0.1, 0.2], unit=[0, 1])
    with pytest.raises(InputError, match="the propensity is 0 on 1 of 2 clicked rows"):
        estimate_entire(rows, totals, clip=0.0)
    with pytest.raises(InputError, match="the clip is 1.0"):
        estimate_entire(rows, totals, clip=1.0)
    with pytest.raises(InputError, match="the level is 95"):
        estimate_entire(rows, totals, level=95)
    with pytest.raises(InputError, match="of unit 1, and there are totals of 1 units"):
        estimate_entire(rows, UnitTotals(1))
    with pytest.raises(InputError, match="2 units have more clicked rows than impressions"):
        estimate_entire(rows, UnitTotals(2))
