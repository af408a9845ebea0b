import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from sklearn.metrics import log_loss

from postclick.errors import InputError
from postclick.judging.teacher import TeacherLogloss, teacher_logloss


def test_by_hand() -> None:
    """Two unclicked rows, labelled .2 and .5; what the clicked one was given does not count."""
    labels, click = logit([0.2, 0.9, 0.5]), [0, 1, 0]
    truth: dict[str, ArrayLike] = {
        "true_cvr": [0.1, 0.7, 0.6],
        "potential_conversion": [0, 1, 1],
        "true_ctr": [9, 9, 9],
    }
    found = teacher_logloss(labels, click, truth=truth)
    assert found.rows == 2
    assert found.recorded_zeros == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    soft = -(0.1 * math.log(0.2) + 0.9 * math.log(0.8) + math.log(0.5)) / 2
    assert found.true_cvr == pytest.approx(soft)
    assert found.potential_conversion == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)


def test_against_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    z, click, drawn = rng.normal(-2, 1, 900), rng.random(900) < 0.2, rng.random(900) < 0.3
    found = teacher_logloss(
        z.astype(np.float32), click, truth={"potential_conversion": drawn.astype(np.float32)}
    )
    g = expit(z)[~click]
    assert found.potential_conversion == pytest.approx(log_loss(drawn[~click], g), rel=1e-6)
    zeros = log_loss(np.zeros(g.size), g, labels=[0, 1])
    assert found.recorded_zeros == pytest.approx(zeros, rel=1e-6)
    assert found.true_cvr is None


def test_the_published_figure_reverses_the_order() -> None:
    """A population on which the three figures are those worked out for EVI's Fig. 2."""
    rng = np.random.default_rng(0)
    n = 400_000
    r = expit(-2.565 + 0.95 * rng.normal(size=n))
    p = expit(-2.2 + 1.17 * rng.normal(size=n))
    click = rng.random(n) < p
    truth = {"true_cvr": r, "potential_conversion": rng.random(n) < r}
    # Fitted to recorded conversions a teacher converges to P(click and conversion) = p r.
    teachers = {"constant": np.full(n, 1e-3), "evi": p * r, "truth": r}
    found = {
        name: teacher_logloss(logit(label), click, truth=truth) for name, label in teachers.items()
    }
    recorded = {name: one.recorded_zeros for name, one in found.items()}
    assert recorded == pytest.approx({"constant": 0.0010, "evi": 0.0122, "truth": 0.1076}, rel=0.02)
    for column in ("true_cvr", "potential_conversion"):
        against = {name: getattr(one, column) for name, one in found.items()}
        assert against == pytest.approx({"constant": 0.673, "evi": 0.450, "truth": 0.284}, rel=0.01)


def test_nothing_beats_zeros_on_recorded_labels_and_the_truth_on_the_truth() -> None:
    rng = np.random.default_rng(8)
    r, click = rng.random(500) * 0.5, np.zeros(500)
    best = teacher_logloss(logit(r), click, truth={"true_cvr": r})
    assert best.true_cvr is not None and best.recorded_zeros is not None
    for shift in (-3.0, -0.1, 0.1, 3.0):
        other = teacher_logloss(logit(r) + shift, click, truth={"true_cvr": r})
        assert other.true_cvr is not None and other.true_cvr > best.true_cvr
        assert other.recorded_zeros is not None
        assert (other.recorded_zeros > best.recorded_zeros) == (shift > 0)


def test_confident_labels_stay_finite() -> None:
    found = teacher_logloss([100.0, -100.0], [0, 0], truth={"potential_conversion": [0, 1]})
    assert found == TeacherLogloss(2, 50.0, None, 100.0)


def test_nothing_unclicked() -> None:
    everything: dict[str, ArrayLike] = {"true_cvr": [0.5], "potential_conversion": [1]}
    assert teacher_logloss([0.0], [1], truth=everything) == TeacherLogloss(0, None, None, None)
    assert teacher_logloss([], []) == TeacherLogloss(0, None, None, None)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="teacher_logit is NaN"):
        teacher_logloss([math.nan], [0])
    with pytest.raises(InputError, match="click has 2 rows where 1"):
        teacher_logloss([0.0], [0, 1])
    with pytest.raises(InputError, match="true_cvr lies outside"):
        teacher_logloss([0.0], [0], truth={"true_cvr": [1.5]})
    with pytest.raises(InputError, match="potential_conversion is neither"):
        teacher_logloss([0.0], [0], truth={"potential_conversion": [0.5]})
