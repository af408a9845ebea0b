"""When a loss or the weights run away: which, and the likely cause."""

import math

from torch import Tensor, nn

# Beyond these a run is lost even if it is not NaN yet: nothing sound comes near them.
LARGEST_LOSS, LARGEST_WEIGHT = 1e12, 1e5


def diverged(total: float) -> bool:
    """Whether a loss is lost; NaN is."""
    return not abs(total) <= LARGEST_LOSS


def diverged_weights(model: nn.Module) -> str | None:
    """Name of the first parameter that has run away, if one has."""
    named = model.named_parameters()
    return next((n for n, p in named if not (p.abs() <= LARGEST_WEIGHT).all()), None)


def worst_term(terms: dict[str, Tensor]) -> tuple[str, float]:
    """The first loss term that is NaN, else the largest."""
    values = {name: term.item() for name, term in terms.items()}
    worst = max(values, key=lambda name: (math.isnan(values[name]), abs(values[name])))
    return worst, values[worst]


def likely_cause(model: nn.Module, lr: float) -> str:
    """What to change, in words."""
    broken = diverged_weights(model)
    if broken is not None:
        return (
            f"the weights {broken} have diverged: the learning rate ({lr:g}) is too high, "
            "lower training.lr or set training.clip_norm=1"
        )
    return (
        "the weights are sound, so look for extreme values in a numeric feature "
        "(transform: log1p) or a propensity clip too close to 0"
    )
