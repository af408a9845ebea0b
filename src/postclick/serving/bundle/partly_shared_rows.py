"""Embedded features of which rows share some, so that those are computed once for all rows."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PartlySharedRows:
    """The features [n, width] of rows as columns of their own and columns that may be one row.

    A linear layer is linear in both parts: the product with what is shared is added to that of
    each row. Everything else that torch does to it gets one tensor.

    In a graph that was traced with n shared rows, one may be given: nothing else is done with
    the shared part than what broadcasts.

    >>> own, shared = torch.tensor([[1.0], [2.0]]), torch.tensor([[5.0], [5.0]])
    >>> x = PartlySharedRows(own, shared, [1], [0])
    >>> x.whole().tolist(), F.linear(x, torch.tensor([[10.0, 1.0]])).tolist()
    ([[5.0, 1.0], [5.0, 2.0]], [[51.0], [52.0]])
    """

    def __init__(
        self,
        own: Tensor,
        shared: Tensor,
        own_columns: Sequence[int],
        shared_columns: Sequence[int],
    ) -> None:
        self.own, self.shared = own, shared
        self.own_columns, self.shared_columns = list(own_columns), list(shared_columns)

    def whole(self) -> Tensor:
        """[n, width] in the order of the columns."""
        repeated = self.shared + 0.0 * self.own[:, :1]
        order = torch.tensor([*self.own_columns, *self.shared_columns]).argsort()
        return torch.cat([self.own, repeated], dim=1)[:, order]

    def linear(self, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As `torch.nn.functional.linear` of `whole`."""
        of_shared = F.linear(self.shared, weight[:, self.shared_columns], bias)
        return torch.addmm(of_shared, self.own, weight[:, self.own_columns].T)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """What torch calls for one of its functions."""
        if function is F.linear and isinstance(args[0], PartlySharedRows):
            return args[0].linear(*args[1:], **(kwargs or {}))
        return function(*map(_whole, args), **{k: _whole(v) for k, v in (kwargs or {}).items()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole(), name)


def as_tensor(x: PartlySharedRows) -> Tensor:
    """For signatures: networks take it in the place of a tensor."""
    return cast(Tensor, x)


def whole_input(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """A hook before `module` is called: it is given tensors."""
    return tuple(map(_whole, given))


def _whole(value: Any) -> Any:
    if isinstance(value, PartlySharedRows):
        return value.whole()
    if isinstance(value, list | tuple):
        return type(value)(map(_whole, value))
    return value
