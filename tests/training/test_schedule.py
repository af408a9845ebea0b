"""Learning-rate multipliers against their definitions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.runs.training_config import TrainingConfig
from postclick.training.schedule import lr_factor

SCHEDULES = ("constant", "linear", "cosine")


@given(
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 50),
    total=st.integers(1, 200),
    step=st.integers(0, 400),
)
def test_a_multiplier_is_a_share(schedule: str, warmup: int, total: int, step: int) -> None:
    config = TrainingConfig.model_validate({"schedule": schedule, "warmup_steps": warmup})
    factor = lr_factor(config, step, total)
    assert 0.0 <= factor <= 1.0
    assert factor > 0 or step >= total, "no planned step may be without effect"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_warm_up_rises_linearly_to_the_full_rate(schedule: str) -> None:
    config = TrainingConfig.model_validate({"schedule": schedule, "warmup_steps": 10})
    risen = [lr_factor(config, step, 40) for step in range(11)]
    assert risen[:10] == pytest.approx([(k + 1) / 10 for k in range(10)])
    assert risen[10] == 1.0


def test_without_warm_up_the_first_step_has_the_full_rate() -> None:
    for schedule in SCHEDULES:
        config = TrainingConfig.model_validate({"schedule": schedule})
        assert lr_factor(config, 0, 7) == 1.0


def test_linear_falls_evenly_and_cosine_as_a_half_wave() -> None:
    linear = TrainingConfig(schedule="linear", warmup_steps=4)
    falls = [lr_factor(linear, step, 24) for step in range(4, 25)]
    assert falls == pytest.approx([1 - k / 20 for k in range(21)])
    cosine = TrainingConfig(schedule="cosine", warmup_steps=4)
    falls = [lr_factor(cosine, step, 24) for step in range(4, 25)]
    assert falls == pytest.approx([(1 + math.cos(math.pi * k / 20)) / 2 for k in range(21)])


def test_more_steps_than_planned_do_not_raise_the_rate_again() -> None:
    for schedule in ("linear", "cosine"):
        config = TrainingConfig.model_validate({"schedule": schedule})
        assert lr_factor(config, 31, 10) == pytest.approx(0.0, abs=1e-12)


def test_a_warm_up_longer_than_the_run() -> None:
    config = TrainingConfig(schedule="linear", warmup_steps=100)
    assert [lr_factor(config, step, 3) for step in range(3)] == [0.01, 0.02, 0.03]
