"""How a run is trained: phases of epochs, and the steps on each of their batches."""

from typing import NamedTuple


class Step(NamedTuple):
    """One update on a batch, with an optimizer of its own that lives as long as the run.

    Attributes:
        name: names the optimizer; the same name in several phases is the same optimizer.
        terms: the terms that are minimised; empty means all.
        parameters: prefixes of the parameter names that are updated; empty means all.
    """

    name: str = "joint"
    terms: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


def preparing_epochs(share: float, epochs: int) -> int:
    """Epochs of a phase that comes before the `epochs` of the CVR model; at least one."""
    return max(1, round(share * epochs))


class Phase(NamedTuple):
    """A stretch of training: some epochs, and the steps taken on each of their batches.

    Attributes:
        name: for logs and checkpoints.
        epochs: how many.
        steps: one, or several that alternate batch by batch.
        judged: whether its epochs count for early stopping and the choice of weights; those
            that prepare something else (a teacher, a propensity) do not.
    """

    name: str
    epochs: int
    steps: tuple[Step, ...] = (Step(),)
    judged: bool = True
