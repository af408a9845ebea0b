"""Weights on the simplex against SciPy's optimiser and against every weight of a grid."""

import numpy as np
import pytest
from scipy.optimize import minimize

from postclick.linear.stacking import Mean, losses_of_mean, stacked_weights

MEANS: tuple[Mean, ...] = ("probability", "logit")


def drawn(rows: int, members: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Members' logits, the worse the later, labels, and weights of rows."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-1.5, 1, rows)
    logits = true[:, None] + rng.normal(size=(rows, members)) * np.linspace(0.4, 1.5, members)
    label = (rng.random(rows) < 1 / (1 + np.exp(-true))).astype(float)
    return logits, label, rng.uniform(0.5, 2.0, rows)


def total(
    w: np.ndarray, z: np.ndarray, y: np.ndarray, prior: np.ndarray, mean: str, c: np.ndarray
) -> float:
    """What is to be minimised, written down once more."""
    p = 1 / (1 + np.exp(-(z @ w))) if mean == "logit" else (1 / (1 + np.exp(-z))) @ w
    p = p.clip(1e-12, 1 - 1e-12)  # SciPy looks beyond the simplex
    return float(-(c @ np.where(y == 1, np.log(p), np.log1p(-p))) - prior @ np.log(w))


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize(
    ("rows", "members", "strength"), [(40, 2, 1.0), (400, 3, 0.01), (3_000, 5, 8.0)]
)
def test_scipy_finds_the_same(mean: Mean, rows: int, members: int, strength: float) -> None:
    z, y, c = drawn(rows, members)
    prior = strength * np.arange(1, members + 1) / members
    found = stacked_weights(z, y, prior, mean=mean, row_weight=c)
    solved = minimize(
        lambda w: total(w, z, y, prior, mean, c), np.full(members, 1 / members), method="SLSQP",
        bounds=[(1e-9, 1)] * members, constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    assert found.sum() == pytest.approx(1)
    assert total(found, z, y, prior, mean, c) <= solved.fun + 1e-7
    assert found == pytest.approx(solved.x, abs=2e-3)


@pytest.mark.parametrize("mean", MEANS)
def test_no_weight_of_a_grid_is_better(mean: Mean) -> None:
    z, y, c = drawn(200, 3, seed=1)
    prior = np.array([0.5, 1.0, 0.5])
    found = total(stacked_weights(z, y, prior, mean=mean, row_weight=c), z, y, prior, mean, c)
    steps = np.linspace(0.01, 0.98, 60)
    grid = [np.array([a, b, 1 - a - b]) for a in steps for b in steps if a + b < 0.995]
    totals = [total(w, z, y, prior, mean, c) for w in grid]
    assert found < min(totals)
    assert found == pytest.approx(min(totals), abs=0.01)


@pytest.mark.parametrize("mean", MEANS)
def test_the_prior_is_all_there_is_without_rows_and_nothing_with_many(mean: Mean) -> None:
    prior = np.array([1.0, 3.0])
    none = stacked_weights(np.zeros((0, 2)), np.zeros(0), prior, mean=mean)
    assert none == pytest.approx([0.25, 0.75])
    # Members that say the same leave the choice to it.
    z, y, _ = drawn(500, 1)
    assert stacked_weights(z.repeat(2, axis=1), y, prior, mean=mean) == pytest.approx(none)
    rng = np.random.default_rng(2)
    true = rng.normal(-1, 1.5, 100_000)
    label = (rng.random(len(true)) < 1 / (1 + np.exp(-true))).astype(float)
    noise = rng.normal(-1, 1.5, len(true))
    many = stacked_weights(np.stack([true, noise], axis=1), label, prior, mean=mean)
    assert many == pytest.approx([1, 0], abs=0.02)


def test_a_weight_of_two_is_a_row_twice() -> None:
    z, y, _ = drawn(100, 3)
    twice = np.arange(100) % 3 == 0
    weighed = stacked_weights(z, y, np.ones(3), row_weight=1.0 + twice)
    repeated = np.concatenate([np.arange(100), np.flatnonzero(twice)])
    assert weighed == pytest.approx(stacked_weights(z[repeated], y[repeated], np.ones(3)))


@pytest.mark.parametrize("mean", MEANS)
def test_certain_members_are_taken_at_their_word(mean: Mean) -> None:
    z = np.array([[900.0, 0.0], [-900.0, 0.0]] * 20)
    right = np.array([1.0, 0.0] * 20)
    for label in (right, 1 - right):
        found = stacked_weights(z, label, np.ones(2), mean=mean)
        assert np.isfinite(losses_of_mean(z, label, found, mean)).all()
        # Half of a logit of 900 is as good as all of it.
        assert found[0] > 0.45 if label is right else found[1] > 0.9


def test_one_member_has_all_the_weight() -> None:
    z, y, _ = drawn(10, 1)
    assert stacked_weights(z, y, np.array([4.0])).tolist() == [1.0]
