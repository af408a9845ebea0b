"""Hooks on embedding modules: rows are brought to the present before anybody reads them."""

from typing import Any, Protocol, Self

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class CatchesUp(Protocol):
    """An optimizer under which rows wait."""

    def trains(self, table: Tensor) -> bool: ...
    def prepare(self, table: Tensor, ids: Tensor) -> None: ...
    def catch_up(self, table: Tensor | None = None) -> None: ...


class _Hook:
    """What hooks share: the optimizer, which lives as long as rows of the module may wait.

    A copy of the module, by deepcopy or pickle, has a table of its own which this optimizer does
    not train: its hooks do nothing.
    """

    def __init__(self, optimizer: CatchesUp | None) -> None:
        self._optimizer = optimizer

    def __reduce__(self) -> tuple[type[Self], tuple[None]]:
        return type(self), (None,)

    def _optimizer_of(self, table: Tensor) -> CatchesUp | None:
        optimizer = self._optimizer
        return optimizer if optimizer is not None and optimizer.trains(table) else None


class _BeforeLookup(_Hook):
    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        table = module.weight
        assert isinstance(table, Tensor)
        optimizer = self._optimizer_of(table)
        ids = args[0] if args else kwargs.get("input")
        if optimizer is not None and isinstance(ids, Tensor):
            optimizer.prepare(table, ids)


class _BeforeState(_Hook):
    """Before a state dict is made of the module, or loaded into it."""

    def __call__(self, module: nn.Module, *_: Any) -> None:
        table = module.weight
        assert isinstance(table, Tensor)
        optimizer = self._optimizer_of(table)
        if optimizer is not None:
            optimizer.catch_up(table)


def embeddings_of(optimizer: CatchesUp, module: nn.Module) -> list[nn.Embedding | nn.EmbeddingBag]:
    """The modules within `module` that look rows up sparsely in a table of this optimizer."""
    return [
        found
        for found in module.modules()
        if isinstance(found, nn.Embedding | nn.EmbeddingBag)
        and found.sparse
        and optimizer.trains(found.weight)
    ]


def hook(optimizer: CatchesUp, embedding: nn.Embedding | nn.EmbeddingBag) -> list[RemovableHandle]:
    """Have rows brought up before a lookup, and the table before its state is saved or loaded."""
    before = _BeforeState(optimizer)
    return [
        embedding.register_forward_pre_hook(_BeforeLookup(optimizer), with_kwargs=True),
        embedding.register_state_dict_pre_hook(before),  # type: ignore[no-untyped-call]
        embedding.register_load_state_dict_pre_hook(before),  # type: ignore[no-untyped-call]
    ]
