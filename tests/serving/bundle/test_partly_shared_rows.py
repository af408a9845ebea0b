"""Features in two parts behave as the tensor that they stand for."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.serving.bundle.partly_shared_rows import PartlySharedRows, as_tensor

WEIGHT, BIAS = torch.randn(4, 5), torch.randn(4)
OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: F.linear(x, WEIGHT, BIAS),
    "linear without bias": lambda x: F.linear(x, WEIGHT),
    "linear by name": lambda x: F.linear(x, weight=WEIGHT, bias=BIAS),
    "module": nn.Linear(5, 3),
    "sequence": lambda x: torch.cat([x, x], dim=1),
    "method": lambda x: x.unflatten(1, (5, 1)),
    "operator": lambda x: torch.ones(6, 1) * x,
}


@pytest.mark.parametrize("rows", [6, 1])
@pytest.mark.parametrize("name", OPERATIONS)
def test_it_stands_for_a_tensor(name: str, rows: int) -> None:
    own, shared = torch.randn(6, 3), torch.randn(rows, 2)
    x = torch.empty(6, 5)
    x[:, [0, 3, 4]], x[:, [2, 1]] = own, shared
    parts = as_tensor(PartlySharedRows(own, shared, [0, 3, 4], [2, 1]))
    assert parts.shape == (6, 5)
    torch.testing.assert_close(OPERATIONS[name](parts), OPERATIONS[name](x))


def test_the_shared_part_is_multiplied_once() -> None:
    """One row stays one row up to the sum."""
    read: list[tuple[int, ...]] = []
    linear = F.linear

    def counted(x: Tensor, *rest: Tensor) -> Tensor:
        read.append(tuple(x.shape))
        return linear(x, *rest)

    with pytest.MonkeyPatch.context() as patch:
        parts = PartlySharedRows(torch.randn(6, 3), torch.randn(1, 2), [0, 1, 2], [3, 4])
        patch.setattr("postclick.serving.bundle.partly_shared_rows.F.linear", counted)
        assert parts.linear(WEIGHT, BIAS).shape == (6, 4)
    assert read == [(1, 2)]
