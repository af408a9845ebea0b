"""The shared bottom: one representation, or the input itself."""

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.methods.networks.conditioning import Conditioned
from postclick.nn.backbones.share_bottom import ShareBottom, ShareBottomOptions
from postclick.nn.config import NetworkConfig

INPUTS, TASKS = 4, 3


def batch(n: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(n).normal(size=(n, INPUTS)))


def test_it_gives_all_tasks_one_representation() -> None:
    torch.manual_seed(0)
    options = ShareBottomOptions(bottom=(7, 2))
    backbone = ShareBottom(INPUTS, TASKS, options, NetworkConfig()).double()
    found = backbone(batch(5))
    assert [f.shape for f in found] == [(5, 2)] * TASKS
    assert all(f is found[0] for f in found)
    slow = batch(5)
    for layer in backbone.bottom.linear:
        slow = (slow @ layer.get_parameter("weight").T + layer.get_parameter("bias")).clamp(min=0)
    torch.testing.assert_close(found[0], slow)
    assert backbone.width == 2
    assert not backbone.reads_input


@pytest.mark.parametrize("conditioned", [False, True])
def test_an_empty_bottom_passes_its_input_through(conditioned: bool) -> None:
    backbone = ShareBottom(INPUTS, TASKS, ShareBottomOptions(), NetworkConfig())
    x = batch(5)
    read = Conditioned(x, x[:, 0]) if conditioned else x
    found = backbone(read)
    assert len(found) == TASKS
    assert all(f is read for f in found)
    assert backbone.width == INPUTS
    assert backbone.reads_input
    assert list(backbone.parameters()) == []
