"""`DenseAdam`: torch's fused Adam over named parameters with dense gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from postclick.optim.adam_settings import AdamSettings

STATE = ("exp_avg", "exp_avg_sq", "step")


def new_state(parameter: Tensor) -> dict[str, Tensor]:
    """State of a parameter before its first step, named as in `torch.optim.Adam`."""
    parameter = parameter.detach()
    return {
        "exp_avg": torch.zeros_like(parameter),
        "exp_avg_sq": torch.zeros_like(parameter),
        "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
    }


def ready_state(state: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
    """`state` made ready for a step, in place: new, moved with its parameter, or another's."""
    if not state:
        state.update(new_state(parameter))
    for key in ("exp_avg", "exp_avg_sq"):  # the parameter may have been moved since
        state[key] = state[key].to(parameter)
    # Other optimizers keep it as a number, or in CPU memory.
    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32, device=parameter.device)
    return state


def adam_step(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    states: Sequence[Mapping[str, Tensor]],
    settings: AdamSettings,
    lr: float,
) -> None:
    """One step of torch's fused Adam; parameters and states are updated in place.

    >>> weight, state = torch.ones(2), new_state(torch.ones(2))
    >>> adam_step([weight], [torch.tensor([0.5, 0.0])], [state], AdamSettings(), lr=0.1)
    >>> weight, state["step"]
    (tensor([0.9000, 1.0000]), tensor(1.))
    """
    beta1, beta2 = settings.betas
    adam(
        list(parameters),
        list(gradients),
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        [state["step"] for state in states],
        fused=True,
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=lr,
        weight_decay=settings.weight_decay,
        eps=settings.eps,
        maximize=False,
    )


class DenseAdam:
    """`torch.optim.Adam` by its functional form, number for number.

    The class itself imports `torch._dynamo` when it is made, for nothing that is used here:
    1.2 s and 71 MB in every process that trains (torch 2.13, where importing torch takes 1.2 s
    and 219 MB), and so in each worker of a comparison. A step is none the slower for it.

    Args:
        groups: parameters by name, each with its settings.
    """

    def __init__(self, groups: Mapping[str, tuple[nn.Parameter, AdamSettings]]) -> None:
        self._groups = dict(groups)
        self._state: dict[str, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One step for every parameter that has a gradient."""
        by_settings: dict[AdamSettings, list[str]] = {}
        for name, (parameter, settings) in self._groups.items():
            if parameter.grad is not None:
                by_settings.setdefault(settings, []).append(name)
        for settings, names in by_settings.items():
            adam_step(
                [self._groups[name][0] for name in names],
                [self._gradient(name) for name in names],
                [self._state_of(name) for name in names],
                settings,
                lr,
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
            self._state[name] = new_state(self._groups[name][0])
        return self._state[name]
