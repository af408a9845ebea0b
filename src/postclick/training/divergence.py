"""When a loss or the weights run away: which, and the likely cause."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from postclick.data.batch import Batch
from postclick.data.manifest import Manifest
from postclick.errors import RunFailedError
from postclick.losses import Terms

# Beyond these a run is lost even if it is not NaN yet: nothing sound comes near them.
LARGEST_LOSS, LARGEST_WEIGHT = 1e12, 1e5
# Weights and numbers begin at about 1. Where a loss has run away, whichever is beyond these did it.
GROWN_WEIGHT, EXTREME_NUMBER = 10.0, 1e4
# The mean loss of an epoch is at most some tens; above this it is told.
ODD_LOSS = 1e4


def diverged(total: float) -> bool:
    """Whether a loss is lost; NaN is."""
    return not abs(total) <= LARGEST_LOSS


def diverged_weights(model: nn.Module) -> str | None:
    """Name of the first parameter that has run away, if one has."""
    named = model.named_parameters()
    return next((n for n, p in named if not (p.abs() <= LARGEST_WEIGHT).all()), None)


def worst_term(terms: Terms) -> tuple[str, float]:
    """The first loss term that is NaN, else the largest."""
    values = {name: term.value.item() for name, term in terms.items()}
    worst = max(values, key=lambda name: (math.isnan(values[name]), abs(values[name])))
    return worst, values[worst]


def largest_weight(model: nn.Module) -> tuple[str, float]:
    """The parameter with the largest weight, and that weight."""
    sizes = {n: float(p.detach().abs().max()) for n, p in model.named_parameters() if p.numel()}
    name = max(sizes, key=lambda n: sizes[n])
    return name, sizes[name]


def likely_cause(
    model: nn.Module,
    lr: float,
    numeric: Tensor | None = None,
    names: Sequence[str] = (),
    vectors: Sequence[str] = (),
) -> str:
    """What to change, in words.

    Args:
        numeric: [n, numerics], what the model read when the loss ran away; `names` of its columns,
            and the vector of each of those behind them.
    """
    too_high = (
        f"the learning rate ({lr:g}) is too high, lower training.lr or set training.clip_norm=1"
    )
    broken = diverged_weights(model)
    if broken is not None:
        return f"the weights {broken} have diverged: {too_high}"
    if numeric is not None and numeric.numel():
        largest = numeric.abs().amax(dim=0)
        worst = int(largest.argmax())
        if not float(largest[worst]) <= EXTREME_NUMBER:
            value = float(largest[worst])
            if worst >= len(names):
                place = worst - len(names)
                return (
                    f"an element of the vector {vectors[place]!r} is {value:.3g}: mend the log, or "
                    "set its standardize to true"
                )
            return (
                f"the numeric feature {names[worst]!r} is {value:.3g} after "
                "scaling: mend the log, or set its transform to log1p or quantile"
            )
    name, size = largest_weight(model)
    if size > GROWN_WEIGHT:
        return f"the weights {name} have grown to {size:.3g}: {too_high}"
    return (
        "weights and features are sound, so look for a propensity clip too close to 0, or lower "
        f"training.lr ({lr:g})"
    )


def lost_run(
    model: nn.Module, terms: Terms, where: str, lr: float, batch: Batch, manifest: Manifest
) -> RunFailedError:
    """What to raise when the loss of a batch has run away: the term, the place and the cause."""
    name, value = worst_term(terms)
    names = [column.name for column in manifest.numerics]
    vectors = [vector.name for vector in manifest.vectors for _ in range(vector.size)]
    cause = likely_cause(model, lr, batch.numeric, names, vectors)
    return RunFailedError(f"loss term {name!r} is {value:.3g} at {where}; likely cause: {cause}")
