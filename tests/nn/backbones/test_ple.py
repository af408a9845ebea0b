"""PLE against numpy: expert by expert, gate by gate, level by level."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import torch

from postclick.nn.backbones.ple import Ple, PleOptions
from postclick.nn.config import NetworkConfig

INPUTS, TASKS = 4, 3
Array = npt.NDArray[np.float64]


class Slow:
    """The network of the paper's figure 5, from the weights of `Ple`, one row at a time.

    Attributes:
        own, shared, width, levels: as the options say.
    """

    def __init__(self, ple: Ple, options: PleOptions) -> None:
        self.w = {name: tensor.detach().numpy() for name, tensor in ple.state_dict().items()}
        self.own, self.shared = options.task_experts, options.shared_experts
        self.width, self.levels = options.expert_width, options.levels

    def __call__(self, x: Array) -> list[Array]:
        mixed = [x] * (TASKS + 1)
        for level in range(self.levels):
            experts = [
                [self.expert(level, part, e, mixed[part]) for e in range(self.count(part))]
                for part in range(TASKS + 1)
            ]
            after = []
            for task in range(TASKS):
                choice = experts[task] + experts[TASKS]
                after.append(self.mix(self.gate(level, task, mixed[task]), choice))
            if level + 1 < self.levels:
                everyone = [expert for part in experts for expert in part]
                after.append(self.mix(self.gate(level, TASKS, mixed[TASKS]), everyone))
            mixed = after
        return mixed

    def count(self, part: int) -> int:
        return self.shared if part == TASKS else self.own

    def affine(self, level: int, part: int, x: Array) -> Array:
        name = "first" if level == 0 else f"later.{level - 1}.{part}"
        return np.asarray(self.w[f"{name}.weight"] @ x + self.w[f"{name}.bias"])

    def expert(self, level: int, part: int, number: int, x: Array) -> Array:
        before = sum(self.count(p) for p in range(part)) if level == 0 else 0
        start = (before + number) * self.width
        return np.maximum(self.affine(level, part, x)[start : start + self.width], 0)

    def gate(self, level: int, part: int, x: Array) -> Array:
        sizes = [self.own + self.shared] * TASKS + [TASKS * self.own + self.shared]
        if level == 0:
            edges = np.cumsum([(TASKS * self.own + self.shared) * self.width, *sizes])
            start, stop = list(pairwise(edges))[part]
        else:
            start = self.count(part) * self.width
            stop = start + sizes[part]
        scores = np.exp(self.affine(level, part, x)[start:stop])
        return np.asarray(scores / scores.sum())

    @staticmethod
    def mix(weights: Array, experts: list[Array]) -> Array:
        assert len(weights) == len(experts)
        return np.asarray(sum(w * e for w, e in zip(weights, experts, strict=True)))


CASES = {
    "default": {},
    "one level (CGC)": {"levels": 1},
    "three levels": {"levels": 3, "task_experts": 1, "shared_experts": 3},
    "one of each": {"task_experts": 1, "shared_experts": 1},
}


@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("case", CASES)
def test_it_equals_numpy(case: str, n: int) -> None:
    torch.manual_seed(0)
    options = PleOptions.model_validate({"expert_width": 6, **CASES[case]})
    ple = Ple(INPUTS, TASKS, options, NetworkConfig()).double()
    x = np.random.default_rng(n).normal(size=(n, INPUTS))
    found = ple(torch.from_numpy(x))
    assert [f.shape for f in found] == [(n, 6)] * TASKS
    slow = Slow(ple, options)
    for i, row in enumerate(x):
        for task, expected in enumerate(slow(row)):
            np.testing.assert_allclose(
                found[task][i].detach().numpy(), expected, rtol=1e-11, atol=1e-13
            )


@pytest.mark.parametrize("levels", [1, 2])
def test_a_task_reaches_no_experts_of_other_tasks(levels: int) -> None:
    """Below the last level by way of the shared representation alone."""
    torch.manual_seed(0)
    options = PleOptions(levels=levels, expert_width=6)
    ple = Ple(INPUTS, TASKS, options, NetworkConfig()).double()
    ple(torch.randn(8, INPUTS, dtype=torch.float64))[1].sum().backward()
    if levels == 1:
        reached = ple.first.get_parameter("weight").grad
        assert reached is not None
        per_expert = reached[: ple.total * 6].reshape(ple.total, -1).abs().sum(dim=1) > 0
        assert per_expert.tolist() == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 2
    else:
        gradients = {name: p.grad for name, p in ple.named_parameters()}
        names = {name for name, g in gradients.items() if g is not None and (g != 0).any()}
        assert {name.split(".")[2] for name in names if name.startswith("later")} == {"1", "3"}


def test_experts_drop_in_training_only() -> None:
    torch.manual_seed(0)
    ple = Ple(INPUTS, 2, PleOptions(expert_dropout=0.5), NetworkConfig())
    x = torch.randn(20, INPUTS)
    assert not torch.equal(ple(x)[0], ple(x)[0])
    ple.eval()
    assert torch.equal(ple(x)[0], ple(x)[0])
