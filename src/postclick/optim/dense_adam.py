"""`DenseAdam`: torch's fused Adam over named parameters with dense gradients."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from postclick.runs.training_config import TrainingConfig

STATE = ("exp_avg", "exp_avg_sq", "step")


class DenseAdam:
    """`torch.optim.Adam` by its functional form, number for number.

    The class itself loads torch's compiler when it is made, 1.5 to 2 s for nothing used here.

    Args:
        groups: parameters by name, each with its coupled weight decay.
    """

    def __init__(
        self, groups: Mapping[str, tuple[nn.Parameter, float]], config: TrainingConfig
    ) -> None:
        self._groups = dict(groups)
        self._config = config
        self._state: dict[str, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One step for every parameter that has a gradient."""
        by_decay: dict[float, list[str]] = {}
        for name, (parameter, decay) in self._groups.items():
            if parameter.grad is not None:
                by_decay.setdefault(decay, []).append(name)
        beta1, beta2 = self._config.betas
        for decay, names in by_decay.items():
            states = [self._state_of(name) for name in names]
            adam(
                [self._groups[name][0] for name in names],
                [self._gradient(name) for name in names],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=True,
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=lr,
                weight_decay=decay,
                eps=self._config.eps,
                maximize=False,
            )

    def tensors(self) -> dict[str, Tensor]:
        """State of each parameter that has had a step, for a checkpoint."""
        return {
            f"{key}/{name}": tensor
            for name, state in self._state.items()
            for key, tensor in state.items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the state that `tensors` gave; what is not of these parameters is left."""
        for name, (parameter, _) in self._groups.items():
            found = {key: tensors.get(f"{key}/{name}") for key in STATE}
            if found["step"] is not None:
                self._state[name] = {
                    key: tensor.clone().to(parameter.device)
                    for key, tensor in found.items()
                    if tensor is not None
                }

    def _gradient(self, name: str) -> Tensor:
        gradient = self._groups[name][0].grad
        assert gradient is not None
        return gradient

    def _state_of(self, name: str) -> dict[str, Tensor]:
        if name not in self._state:
            parameter = self._groups[name][0].detach()
            self._state[name] = {
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            }
        return self._state[name]
