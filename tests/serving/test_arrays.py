"""Encoded rows and their parts, numbers, and probabilities from logits."""

import numpy as np
import polars as pl
import pytest

from postclick.data.encode.encoder import scale
from postclick.data.manifest import NumericColumn
from postclick.data.read.values import to_number
from postclick.errors import InputError
from postclick.serving.lookup.encoded_rows import BagRows, EncodedRows, Layout
from postclick.serving.lookup.numeric_scaling import NumericScaling, read_number
from postclick.serving.probabilities import ServingCorrections

LAYOUT = Layout(("user", "item"), ("age", "price", "price"), ("history", "tags"))


def part(features: set[str], rows: int, value: int) -> EncodedRows:
    ids, numeric = np.zeros((rows, 2), np.int32), np.zeros((rows, 3), np.float32)
    for k, name in enumerate(LAYOUT.ids):
        ids[:, k] = value if name in features else 0
    for k, name in enumerate(LAYOUT.numerics):
        numeric[:, k] = value if name in features else 0
    bags = []
    for name in LAYOUT.bags:
        lengths = np.arange(rows) % 3 + 1 if name in features else np.zeros(rows, np.int64)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        total = int(offsets[-1])
        bags.append(BagRows(np.full(total, value, np.int32), offsets, np.ones(total, np.float32)))
    return EncodedRows(LAYOUT, frozenset(features), ids, numeric, tuple(bags))


def test_a_user_beside_candidates() -> None:
    user, items = part({"user", "age", "history"}, 1, 4), part({"item", "price", "tags"}, 5, 9)
    for both in (user.beside(items), items.beside(user), user.repeat(5).beside(items)):
        assert both.missing == () and len(both) == 5
        assert both.ids.tolist() == [[4, 9]] * 5
        assert both.numeric.tolist() == [[4.0, 9.0, 9.0]] * 5
        ids, weights = both.bags[0].padded(1, 4)
        assert ids.tolist() == [[4]] * 3 and weights.tolist() == [[1.0]] * 3
        assert both.bags[0].longest(1, 4) == 1
        assert both.bags[1] is items.bags[1]


def test_a_user_without_candidates() -> None:
    user, items = part({"user", "age", "history"}, 1, 4), part({"item", "price", "tags"}, 0, 9)
    for both in (user.beside(items), items.beside(user)):
        assert len(both) == 0 and both.ids.shape == (0, 2) and both.numeric.shape == (0, 3)
        assert [len(bag) for bag in both.bags] == [0, 0]


def test_parts_that_do_not_fit_are_refused() -> None:
    user, items = part({"user", "item"}, 2, 4), part({"item"}, 5, 9)
    with pytest.raises(InputError, match="feature 'item' is in both parts"):
        user.beside(items)
    with pytest.raises(InputError, match="parts of 2 and 5 rows"):
        part({"user"}, 2, 4).beside(items)
    with pytest.raises(InputError, match="2 rows cannot be repeated"):
        user.repeat(3)
    assert user.missing == ("age", "price", "history", "tags")


def test_padding() -> None:
    bag = BagRows(
        np.array([5, 6, 7, 8], np.int32),
        np.array([0, 2, 2, 3, 4]),
        np.array([0.5, 0.25, 1, 2], np.float32),
    )
    ids, weights = bag.padded(0, 3)
    assert ids.tolist() == [[5, 6], [0, 0], [7, 0]]
    assert weights.tolist() == [[0.5, 0.25], [0, 0], [1, 0]]
    ids, weights = bag.padded(1, 2)  # nothing but empty lists: still a column
    assert ids.tolist() == [[0]] and weights.tolist() == [[0]]
    assert bag.longest(0, 4) == 2 and bag.longest(1, 2) == 0


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [1.5, None, float("nan"), float("inf"), -0.0, 1e30]),
        pl.Series("x", [1.5, None], dtype=pl.Float32),
        pl.Series("x", [3, None, 2**62 + 1]),
        pl.Series("x", [True, None, False]),
        pl.Series("x", ["1", " 2.5 ", "NA", "", None, "-inf", "1e3"]),
        pl.Series("x", ["1", "2"], dtype=pl.Categorical),
        pl.Series("x", [None, None]),
        pl.Series("x", [], dtype=pl.Int16),
    ],
    ids=lambda column: str(column.dtype),
)
def test_numbers_are_read_and_scaled_as_prepare_does(column: pl.Series) -> None:
    number, _, _ = to_number(column)
    expected = number.cast(pl.Float64).to_numpy()
    found = read_number(column)
    np.testing.assert_array_equal(found, expected)
    columns = [
        NumericColumn(name="x", source="x", transform="standardize", mean=0.3, std=1.7),
        NumericColumn(name="x__missing", source="x", transform="missing_flag"),
        NumericColumn(name="y", source="y", transform="log1p", mean=-0.1, std=0.9),
    ]
    scaled = NumericScaling(columns).scale({"x": found, "y": found})
    for k, spec in enumerate(columns):
        np.testing.assert_array_equal(scaled[:, k], scale(expected, spec))


def test_a_part_without_some_numbers() -> None:
    columns = [
        NumericColumn(name=n, source=n, transform="standardize", mean=3, std=2) for n in "ab"
    ]
    scaled = NumericScaling(columns).scale({"b": np.array([5.0, np.nan])})
    assert scaled.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"column 'x': 1 values are not numbers \(such as 'ten'\)"):
        read_number(pl.Series("x", ["1", "ten"]))


CTR, CVR = np.array([-2.0, 0.5], np.float32), np.array([-1.0, 3.0], np.float32)


def probability(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit.astype(np.float64)))


def test_scores_are_probabilities_in_float32() -> None:
    scores = ServingCorrections().probabilities(CTR, CVR)
    np.testing.assert_allclose(scores.pctr, probability(CTR), rtol=1e-6)
    np.testing.assert_allclose(scores.pctcvr, probability(CTR) * probability(CVR), rtol=1e-6)
    assert {values.dtype for values in scores} == {np.dtype(np.float32)}
    extreme = np.array([-1e4, 1e4], np.float32)
    assert ServingCorrections().probabilities(extreme, extreme).pctcvr.tolist() == [0.0, 1.0]


def test_the_method_s_own_pctcvr_is_served() -> None:
    joint = np.log(np.array([0.05, 0.2], np.float32))
    assert ServingCorrections().probabilities(CTR, CVR, joint).pctcvr == pytest.approx(
        [0.05, 0.2], rel=1e-6
    )


def test_the_shift_undoes_sampling_of_negatives() -> None:
    """Keeping a share r of unclicked rows multiplies the odds of a click by 1/r."""
    rate, click, buy = 0.1, np.array([0.03, 0.2]), np.array([0.3, 0.05])
    kept = click + rate * (1 - click)
    seen, joint = click / kept, click * buy / kept

    def logit(p: np.ndarray) -> np.ndarray:
        return np.log(p / (1 - p)).astype(np.float32)

    served = ServingCorrections(ctr_shift=float(np.log(rate)))
    for scores in (
        served.probabilities(logit(seen), logit(buy)),
        served.probabilities(logit(seen), logit(buy), np.log(joint).astype(np.float32)),
    ):
        np.testing.assert_allclose(scores.pctr, click, rtol=1e-5)
        np.testing.assert_allclose(scores.pctcvr, click * buy, rtol=1e-5)


def test_calibration_is_applied_to_the_logit_of_pcvr() -> None:
    served = ServingCorrections(calibration={"kind": "platt", "slope": 0.5, "intercept": -1.0})
    pcvr = probability(0.5 * CVR.astype(np.float64) - 1)
    for joint in (None, np.zeros(2, np.float32)):
        scores = served.probabilities(CTR, CVR, joint)
        np.testing.assert_allclose(scores.pcvr, pcvr, rtol=1e-6)
        np.testing.assert_allclose(scores.pctcvr, probability(CTR) * pcvr, rtol=1e-6)


def test_numbers_beyond_float32_stay_finite() -> None:
    column = NumericColumn(name="price", source="price", transform="standardize", mean=3, std=0.5)
    values = np.array([1e39, -1.7e308, 4.0, np.nan])
    expected = [1e6, -1e6, 2.0, 0.0]
    assert scale(values, column).tolist() == expected
    assert NumericScaling([column]).scale({"price": values})[:, 0].tolist() == expected
