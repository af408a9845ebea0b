"""Learning-rate multipliers."""

import math

from postclick.runs.training_config import TrainingConfig


def lr_factor(config: TrainingConfig, step: int, total_steps: int) -> float:
    """Multiplier of the learning rate at `step` (0 is the first) of `total_steps`.

    >>> config = TrainingConfig(warmup_steps=4, schedule="linear")
    >>> [round(lr_factor(config, step, 12), 3) for step in (0, 3, 4, 8, 11)]
    [0.25, 1.0, 1.0, 0.5, 0.125]
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return 1.0
    done = (step - config.warmup_steps) / max(total_steps - config.warmup_steps, 1)
    done = min(done, 1.0)
    return 1.0 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
