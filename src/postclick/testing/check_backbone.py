"""`check_backbone`: everything that a backbone has to keep, for one of ours or of yours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from postclick.methods.base import Method
from postclick.methods.ddpo import Ddpo
from postclick.methods.esmm import Esmm
from postclick.methods.evi import Evi
from postclick.nn.backbones import TaskBackbone, name_of
from postclick.nn.backbones.make import make_backbone
from postclick.nn.config import NetworkConfig
from postclick.testing import loss_properties
from postclick.testing.cases import Case

INPUTS, ROWS = 5, (0, 1, 6)
# A plain method, one that conditions the input, and one that joins the tasks' representations.
METHODS: tuple[type[Method[Any]], ...] = (Esmm, Evi, Ddpo)
Made = Sequence[TaskBackbone]


def check_backbone(
    backbone: type[TaskBackbone], *, options: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Check everything that postclick expects of a backbone; call it in a test of your package.

    Args:
        backbone: the class.
        options: small settings of it, so that the check is quick.

    Returns:
        How many things each property has compared.

    Raises:
        AssertionError: a property does not hold, or has compared nothing.

    >>> from postclick.nn.backbones.mmoe import MMoE
    >>> found = check_backbone(MMoE, options={"experts": 2, "expert_width": 4})
    >>> found["rows do not mix"] > 0
    True
    """
    given = dict(options or {})
    network = NetworkConfig.parse({"backbone": backbone, **given}, backbone)
    compared = {
        "is described": _described(backbone),
        "ranges are valid": _ranges(backbone, given),
        "one representation for each task": _shapes(backbone, network),
        "rows do not mix": _rows(backbone, network),
        "one seed, one network": _seeds(backbone, network),
        "saved and loaded": _saved(backbone, network),
        "finite under every kind of method": _methods(backbone, given),
    }
    empty = [what for what, count in compared.items() if not count]
    assert not empty, f"{backbone.name}: nothing was compared for: {'; '.join(empty)}"
    return compared


def _make(backbone: type[TaskBackbone], tasks: int, network: NetworkConfig, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return make_backbone(backbone, INPUTS, tasks, network).double()


def _described(backbone: type[TaskBackbone]) -> int:
    for key in ("name", "summary", "reference"):
        text = getattr(backbone, key, "")
        one_line = bool(text.strip()) and "\n" not in text
        assert one_line, f"{backbone.__name__}: {key} has to be one line"
    unsaid = set(backbone.Options.model_fields) - set(backbone.Options.search)
    assert not unsaid, f"{backbone.name}: options without a range in search: {sorted(unsaid)}"
    return 3


def _ranges(backbone: type[TaskBackbone], given: Mapping[str, Any]) -> int:
    """Every value of every range is accepted, and makes a network."""
    count = 0
    for name, space in backbone.Options.search.items():
        default = backbone.Options.model_fields[name].default
        for value in space.around(default).ends:
            network = NetworkConfig.parse({"backbone": backbone, **given, name: value}, backbone)
            found = _make(backbone, 2, network)(torch.randn(3, INPUTS, dtype=torch.float64))
            assert all(f.isfinite().all() for f in found), f"{backbone.name}: {name}={value}"
            count += 1
    return count or 1  # a backbone may have no options


def _shapes(backbone: type[TaskBackbone], network: NetworkConfig) -> int:
    count = 0
    for tasks in (1, 2, 4):
        for n in ROWS:
            made = _make(backbone, tasks, network)
            x = torch.randn(n, INPUTS, dtype=torch.float64, requires_grad=True)
            found: list[Tensor] = made(x)
            shapes = [tuple(f.shape) for f in found]
            expected = [(n, made.width)] * tasks
            assert shapes == expected, f"{backbone.name}: {shapes} for {tasks} tasks and {n} rows"
            torch.stack([f.square().sum() for f in found]).sum().backward()  # type: ignore[no-untyped-call]
            for name, parameter in made.named_parameters():
                gradient = parameter.grad
                assert gradient is not None, f"{backbone.name}: {name} is never trained"
                assert gradient.isfinite().all(), f"{backbone.name}: gradient of {name}"
            count += tasks
    return count


def _rows(backbone: type[TaskBackbone], network: NetworkConfig) -> int:
    """What one row is given does not depend on the rows beside it, when it serves."""
    made = _make(backbone, 2, network).eval()
    x = torch.randn(6, INPUTS, dtype=torch.float64)
    whole = made(x)
    for row in range(6):
        for task, alone in enumerate(made(x[row : row + 1])):
            torch.testing.assert_close(alone[0], whole[task][row], msg=f"{backbone.name}: rows mix")
    return 12


def _seeds(backbone: type[TaskBackbone], network: NetworkConfig) -> int:
    x = torch.randn(4, INPUTS, dtype=torch.float64)
    first, again, other = (_make(backbone, 1, network, seed).eval()(x)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again), f"{backbone.name}: one seed, two networks"
    parameters = list(_make(backbone, 1, network).parameters())
    assert not parameters or not torch.equal(first, other), f"{backbone.name}: two seeds, one"
    return 2


def _saved(backbone: type[TaskBackbone], network: NetworkConfig) -> int:
    x = torch.randn(4, INPUTS, dtype=torch.float64)
    one, two = (_make(backbone, 2, network, seed).eval() for seed in (1, 2))
    state = one.state_dict()
    if state:
        two.load_state_dict(load(save({name: t.contiguous() for name, t in state.items()})))
    for a, b in zip(one(x), two(x), strict=True):
        assert torch.equal(a, b), f"{backbone.name}: a saved and loaded network differs"
    return 2


def _methods(backbone: type[TaskBackbone], given: Mapping[str, Any]) -> int:
    return sum(
        loss_properties.finite(Case(method, "default"), backbone=name_of(backbone), **given)
        for method in METHODS
    )
