"""What metrics see: computed only where asked for, and the same on a part as on the whole."""

import numpy as np
import pytest

from postclick.metrics import Rows


def test_probabilities_and_losses_are_those_of_logits() -> None:
    z, y = np.array([-2.0, 0.5, 30.0]), np.array([0, 1, 1])
    rows = Rows(y, z)
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(rows.prediction, p, rtol=1e-15)
    np.testing.assert_allclose(rows.nll, -np.log(np.where(y == 1, p, 1 - p)), rtol=1e-6, atol=1e-15)
    assert (len(rows), rows.positives) == (3, 2.0)


def test_nothing_is_computed_unasked_and_nothing_twice() -> None:
    calls = []

    def prediction() -> np.ndarray:
        calls.append("prediction")
        return np.array([0.1, 0.2])

    rows = Rows(np.array([1, 0]), np.array([0.0, 1.0]), prediction=prediction)
    part = rows.where(np.array([False, True]))
    assert calls == []
    assert part.prediction.tolist() == [0.2]
    assert rows.prediction.tolist() == [0.1, 0.2]
    assert rows.without_group().prediction is rows.prediction
    assert calls == ["prediction"]


def test_a_part_has_the_losses_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    z, y, chosen = rng.normal(size=50), rng.random(50), rng.random(50) < 0.4
    for rows in (Rows(y, z), Rows(y, -np.abs(z), nll=lambda: y * 2)):
        np.testing.assert_allclose(rows.where(chosen).nll, rows.nll[chosen], rtol=1e-15)


def test_groups_go_along_until_they_are_left_out() -> None:
    rows = Rows(np.ones(3), np.zeros(3), np.array([4, 0, 9]))
    part = rows.where(np.array([True, False, True]))
    assert part.group is not None and part.group.tolist() == [4, 9]
    assert rows.without_group().group is None
    plain = Rows(np.ones(3), np.zeros(3))
    assert plain.without_group() is plain
    assert plain.where(np.ones(3, bool)).group is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_scores_keep_their_precision(dtype: type[np.floating]) -> None:
    rows = Rows(np.array([True]), np.array([0.1], dtype))
    assert rows.score.dtype == dtype
    assert rows.prediction.dtype == rows.nll.dtype == np.float64
