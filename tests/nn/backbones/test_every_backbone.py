"""What holds for every backbone, found from the registry, and for one of somebody else's."""

import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from helpers.foreign_backbone import FOREIGN, Gated
from postclick.errors import InputError
from postclick.nn.backbones import (
    BACKBONES,
    BackboneOptions,
    TaskBackbone,
    find_backbone,
    name_of,
)
from postclick.nn.backbones.make import make_backbone
from postclick.nn.backbones.mmoe import MMoE
from postclick.nn.config import NetworkConfig

INPUTS = 5
every_backbone = pytest.mark.parametrize("kind", [*BACKBONES, FOREIGN])
network = NetworkConfig()


@every_backbone
def test_it_is_described(kind: str) -> None:
    found = find_backbone(kind)
    assert found.name == kind or found is Gated
    assert found.summary and found.reference
    assert set(found.Options.search) == set(found.Options.model_fields), "each option is varied"


@every_backbone
def test_each_range_has_the_default_and_nothing_that_is_refused(kind: str) -> None:
    options = find_backbone(kind).Options
    for name, space in options.search.items():
        default = options.model_fields[name].default
        assert default in space.around(default).ends
        for value in space.around(default).ends:
            assert getattr(options.model_validate({name: value}), name) == value


@every_backbone
@pytest.mark.parametrize("tasks", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_one_representation_for_each_task(kind: str, tasks: int, n: int) -> None:
    torch.manual_seed(0)
    backbone = make_backbone(kind, INPUTS, tasks, network).double()
    x = torch.randn(n, INPUTS, dtype=torch.float64, requires_grad=True)
    found = backbone(x)
    assert [f.shape for f in found] == [(n, backbone.width)] * tasks
    torch.stack([f.square().sum() for f in found]).sum().backward()
    gradients = [x.grad, *(p.grad for p in backbone.parameters())]
    for gradient in gradients:
        assert gradient is not None and gradient.isfinite().all()
    if n:
        assert all(g is not None and (g != 0).any() for g in gradients), "each weight has a say"


@every_backbone
def test_the_same_seed_gives_the_same_weights_and_rows_do_not_mix(kind: str) -> None:
    x = torch.randn(6, INPUTS)
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        backbone = make_backbone(kind, INPUTS, 2, network).eval()
        outputs.append(backbone(x))
    for a, b in zip(*outputs, strict=True):
        assert torch.equal(a, b)
    for task, alone in enumerate(backbone(x[2:3])):
        torch.testing.assert_close(alone[0], outputs[0][task][2])


class Opaque:
    """An input that only its own layers can read."""

    def __init__(self, x: Tensor) -> None:
        self.hidden = x


class Opener(nn.Linear):
    def affine(self, x: Opaque) -> tuple[Tensor, Tensor, Tensor]:
        return x.hidden, self.weight, self.bias

    def forward(self, x: Any) -> Tensor:
        return super().forward(x.hidden)


@every_backbone
def test_one_that_takes_first_layers_never_looks_into_its_input(kind: str) -> None:
    found = find_backbone(kind)
    if not found.takes_first_layer:
        with pytest.raises(ValueError, match="takes no first layer: give it a tensor"):
            make_backbone(kind, INPUTS, 2, network, Opener)
        return
    x = torch.randn(6, INPUTS)
    config = NetworkConfig(bottom=(4,))
    outputs = []
    for first, read in ((nn.Linear, x), (Opener, Opaque(x))):
        torch.manual_seed(0)
        backbone = make_backbone(kind, INPUTS, 2, config, first).eval()
        assert not backbone.reads_input
        outputs.append(backbone(read))
    for a, b in zip(*outputs, strict=True):
        assert torch.equal(a, b)


def test_what_there_is_is_found() -> None:
    assert find_backbone("mmoe") is find_backbone(MMoE) is MMoE
    assert name_of(MMoE) == "mmoe"
    assert find_backbone(FOREIGN) is Gated
    assert name_of(Gated) == FOREIGN


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet", "there is no backbone 'resnet'; there are share_bottom, mmoe, dcn_v2, ple, or"),
        (3, "3 is no backbone: it has to be a subclass of TaskBackbone"),
        (nn.Linear, "is no backbone: it has to be a subclass of TaskBackbone"),
        ("this:Zen", "which is not imported on a file's word"),
        (f"{__name__}:Nothing", "has no 'Nothing': name a backbone in it"),
        ("torch.nn:Linear", "torch.nn:Linear is no backbone: it has to be a subclass"),
    ],
)
def test_what_there_is_not_is_said(name: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_backbone(name)


def test_nothing_is_imported() -> None:
    assert "this" not in sys.modules
    with pytest.raises(InputError):
        find_backbone("this:d")
    assert "this" not in sys.modules


def test_options_are_strict_and_frozen() -> None:
    options = Gated.Options()
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Gated.Options.model_validate({"gate": 3})
    with pytest.raises(ValidationError, match="frozen"):
        options.gate_width = 3


def test_an_option_cannot_hide_what_all_share() -> None:
    class Clashing(BackboneOptions):
        dropout: float = 0.0

    with pytest.raises(TypeError, match="its option 'dropout' has the name of a setting"):

        class Net(TaskBackbone):
            Options = Clashing
