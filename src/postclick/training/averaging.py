"""The mean of a run's weights over the last part of an epoch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

# Weights that the mean is of: so many that it is that of all steps for all that can be seen, and
# so few that bringing whole tables to the present for each costs nothing beside training.
SAMPLES = 32


def is_sampled(step: int, total: int, part: float) -> bool:
    """Whether the weights after `step` of `total` steps count: `SAMPLES` in the last `part`.

    >>> [step for step in range(1, 201) if is_sampled(step, 200, 0.04)]
    [193, 194, 195, 196, 197, 198, 199, 200]
    >>> found = [step for step in range(1, 6401) if is_sampled(step, 6400, 0.5)]
    >>> len(found), found[0], found[-1]
    (32, 3300, 6400)
    """
    window = round(part * total)
    if step <= total - window:
        return False
    apart = max(window // SAMPLES, 1)
    return (total - step) % apart == 0


class WeightAverage:
    """The running mean of a module's floating-point weights, buffers included.

    The mean of the iterates of a stochastic descent is nearer to what it circles than the last
    one is, whatever the batches of the last steps were.

    Source: Polyak and Juditsky, Acceleration of stochastic approximation by averaging, SIAM J.
    Control and Optimization 30, 1992; for networks: Izmailov et al., Averaging weights leads to
    wider optima and better generalization, UAI 2018.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> average = WeightAverage()
    >>> for value in (1.0, 2.0, 6.0):
    ...     _ = nn.init.constant_(layer.weight, value)
    ...     average.add(layer)
    >>> average.weights(layer)["weight"].item()
    3.0
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, module: nn.Module) -> None:
        """Take the weights that `module` has now into the mean."""
        self.count += 1
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                continue
            if name in self._mean:
                self._mean[name].lerp_(value, 1 / self.count)
            else:
                self._mean[name] = value.detach().clone()

    def weights(self, module: nn.Module) -> dict[str, Tensor]:
        """The state of `module` with the mean in place of what was averaged."""
        return {n: self._mean.get(n, v) for n, v in module.state_dict().items()}

    def tensors(self) -> dict[str, Tensor]:
        """All state, for a checkpoint; empty if there is none."""
        if not self.count:
            return {}
        return {"count": torch.tensor(self.count), **{f"/{n}": t for n, t in self._mean.items()}}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up the state that `tensors` gave."""
        self.count = int(state["count"]) if state else 0
        self._mean = {n[1:]: t for n, t in state.items() if n.startswith("/")}
