"""Training settings: what is refused, and what cannot be changed."""

from typing import Any

import pytest
from pydantic import ValidationError

from postclick.runs.training_config import TrainingConfig


def test_defaults_are_a_valid_config() -> None:
    config = TrainingConfig()
    assert (config.optimizer, config.schedule, config.keep) == ("lazy_adam", "constant", "best")
    assert TrainingConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0),
        ("lr", -1),
        ("weight_decay", -1e-9),
        ("betas", (0.9, 1.0)),
        ("betas", (-0.1, 0.9)),
        ("betas", (0.9,)),
        ("eps", 0),
        ("warmup_steps", -1),
        ("clip_norm", 0),
        ("patience", 0),
        ("threads", 0),
        ("checkpoint_minutes", 0),
        ("optimizer", "sgd"),
        ("schedule", "step"),
        ("monitor", "true_cvr_auc"),
        ("keep", "first"),
        ("precision", "fp16"),
        ("learning_rate", 1e-3),
    ],
)
def test_wrong_values_and_unknown_keys_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as error:
        TrainingConfig.model_validate({key: value})
    assert key in str(error.value)


def test_no_early_stopping_and_no_clipping_can_be_asked_for() -> None:
    config = TrainingConfig(patience=None, clip_norm=None, threads=None)
    assert config.patience is None


def test_a_config_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingConfig().lr = 1.0  # type: ignore[misc]
