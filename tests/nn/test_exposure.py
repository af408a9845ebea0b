"""What an exposure adds to a logit, against numpy; the mean over exposures against brute force."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from postclick.nn.exposure import GAIN, ExposureEffect

RNG = np.random.default_rng(0)
SHARES = [0.1, 0.0, 0.25, 0.25, 0.4]
START = [0.3, 0.0, 1.2, -0.4, -2.0]


def effect(shares: list[float] = SHARES, at: int | None = None) -> ExposureEffect:
    return ExposureEffect(["ctr", "propensity"], shares, START, at).double()


def test_each_value_adds_what_its_row_says_times_the_gain() -> None:
    found, ids = effect(), torch.from_numpy(RNG.integers(0, 5, 40))
    z = torch.from_numpy(RNG.normal(size=40))
    expected = z.numpy() + np.array(START)[ids.numpy()]
    assert found("ctr", z, ids).detach().numpy() == pytest.approx(expected, abs=1e-6)
    with torch.no_grad():
        found.tables["ctr"][3] += 0.5
    moved = expected + np.where(ids.numpy() == 3, 0.5 * GAIN, 0.0)
    assert found("ctr", z, ids).detach().numpy() == pytest.approx(moved, abs=1e-6)
    # The other head has a table of its own.
    assert found("propensity", z, ids).detach().numpy() == pytest.approx(expected, abs=1e-6)


def test_without_an_exposure_the_probability_is_the_mean_over_training() -> None:
    z = torch.linspace(-12, 12, 49, dtype=torch.float64)
    share = np.array(SHARES)
    expected = expit(z.numpy()[:, None] + np.array(START)) @ share
    found = effect()("ctr", z, None).sigmoid().detach().numpy()
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_mean_is_finite_and_monotone_where_probabilities_round_to_0_and_1() -> None:
    single = ExposureEffect(["ctr"], SHARES, START)
    z = torch.linspace(-95, 95, 39)
    found = single("ctr", z, None).detach()
    assert found.isfinite().all()
    assert (found.diff() > 0).all()
    # In a far tail the mean of e^(z + s) decides: ln of the mean of e^s is added.
    low = np.log(np.array(SHARES) @ np.exp(START))
    assert float(found[0] - z[0]) == pytest.approx(low, abs=1e-4)


def test_a_fixed_value_is_that_value_for_all_rows() -> None:
    z = torch.from_numpy(RNG.normal(size=7))
    found = effect(at=4)
    expected = found("ctr", z, torch.full((7,), 4))
    assert torch.equal(found("ctr", z, None), expected)
    found.recorded = False
    assert torch.equal(found("ctr", z, torch.zeros(7, dtype=torch.long)), expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_value_that_training_never_saw_adds_the_mean(training: bool) -> None:
    shares = [0.0, 0.2, 0.3, 0.1, 0.4]
    found = effect(shares).train(training)
    z, ids = torch.zeros(2, dtype=torch.float64), torch.tensor([0, 2])
    with torch.no_grad():
        found.tables["ctr"] += 0.25 / GAIN
        found.tables["ctr"][0] = 0.0
    added = found("ctr", z, ids).detach().tolist()
    mean = float(np.dot(shares, np.array(START) + 0.25))
    assert added == pytest.approx([0.0 if training else mean, 1.2 + 0.25], abs=1e-6)


def test_gradients_are_sparse_and_right() -> None:
    found, ids = effect(), torch.tensor([2, 2, 4])
    z = torch.zeros(3, dtype=torch.float64)
    found("ctr", z, ids).sigmoid().sum().backward()
    gradient = found.tables["ctr"].grad
    assert gradient is not None
    assert gradient.is_sparse
    slope = expit(START[2]) * expit(-START[2]), expit(START[4]) * expit(-START[4])
    expected = [0.0, 0.0, 2 * GAIN * slope[0], 0.0, GAIN * slope[1]]
    assert gradient.to_dense().squeeze(1).tolist() == pytest.approx(expected, abs=1e-6)
    assert found.tables["propensity"].grad is None


def test_one_value_in_training_is_that_value() -> None:
    only = ExposureEffect(["ctr"], [0.0, 1.0], [0.0, 0.7]).double()
    z = torch.tensor([logit(0.2)], dtype=torch.float64)
    assert float(only("ctr", z, None).detach()) == pytest.approx(logit(0.2) + 0.7, abs=1e-6)
