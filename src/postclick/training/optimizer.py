"""The optimizer of a run: Adam for the networks, lazy or exact Adam for embedding tables."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from postclick.optim.adam_settings import AdamSettings, Mode
from postclick.optim.compiled_adam import CompiledAdam
from postclick.optim.dense_adam import DenseAdam
from postclick.optim.lazy_adam import LazyAdam
from postclick.optim.row_gradient import RowCollector, RowGradient
from postclick.runs.training_config import TrainingConfig


class Optimizer:
    """One Adam over parameters with dense and with sparse gradients.

    Tables in CPU memory are updated by the compiled kernel in both modes. Elsewhere `lazy_adam` is
    torch code, and `exact_adam` keeps a dense gradient buffer: the batch's rows are written to it,
    torch's fused Adam runs over the table, and only the touched rows are cleared.

    Args:
        parameters: name and parameter; those that need no gradient are left out.
        tables: names of embedding tables, whose gradients are sparse.
        shared: tables that another optimizer trains too. Exact mode sweeps them at every step: what
            a row does while it waits would depend on both.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        tables: Collection[str],
        config: TrainingConfig,
        shared: Collection[str] = (),
    ) -> None:
        self.config = config
        trained = [(name, p) for name, p in parameters if p.requires_grad]
        self._tables = {name: p for name, p in trained if name in tables}
        self._dense = {name: p for name, p in trained if name not in tables}
        self._collect: dict[str, RowCollector] = {}
        exact = config.optimizer == "exact_adam"
        mode: Mode = "exact" if exact else "lazy"
        of_tables = AdamSettings(config.weight_decay, config.betas, config.eps)
        self._rowwise: dict[str, CompiledAdam | LazyAdam] = {}
        self._buffers: dict[str, Tensor] = {}
        for name, table in self._tables.items():
            if CompiledAdam.suits(table.data) and not (exact and name in shared):
                self._rowwise[name] = CompiledAdam(table.data, of_tables, mode)
            elif exact:
                self._buffers[name] = torch.zeros_like(table)
            else:
                self._rowwise[name] = LazyAdam(table.data, of_tables)
        network = config.network_decay
        decay = config.weight_decay if network is None else network
        of_networks = replace(of_tables, weight_decay=decay)
        self._adam = DenseAdam(
            {
                **{name: (p, of_networks) for name, p in self._dense.items()},
                **{name: (self._tables[name], of_tables) for name in self._buffers},
            }
        )
        self.steps = 0

    def prepare(self, ids: Tensor, of: Mapping[str, Tensor] | None = None) -> None:
        """Bring the table rows `ids` to the present, before a batch reads them.

        Args:
            of: the rows of those tables, by name, of which a batch reads others.
        """
        for name, rowwise in self._rowwise.items():
            rowwise.prepare(ids if of is None else of.get(name, ids))

    @torch.no_grad()
    def step(self, lr: float) -> float | None:
        """Apply the gradients; returns their norm before clipping if clipping is on."""
        self.steps += 1
        rows = {
            name: RowGradient(table.grad._indices()[0], table.grad._values())
            for name, table in self._tables.items()
            if table.grad is not None
        }
        clipping = self.config.clip_norm is not None
        for name in rows.keys() if clipping else rows.keys() & self._buffers.keys():
            rows[name] = self._collected(name, rows[name])
        norm = self._clip(rows) if clipping else None
        for name, buffer in self._buffers.items():
            if name in rows:
                buffer.index_copy_(0, rows[name].rows, rows[name].values)
            self._tables[name].grad = buffer
        self._adam.step(lr)
        for name, buffer in self._buffers.items():
            if name in rows:
                buffer.index_fill_(0, rows[name].rows, 0.0)
        for name, rowwise in self._rowwise.items():
            if name in rows:
                rowwise.step(rows[name].rows, rows[name].values, lr)
        return norm

    def _collected(self, name: str, gradient: RowGradient) -> RowGradient:
        if name not in self._collect:
            self._collect[name] = RowCollector(self._tables[name])
        return self._collect[name](gradient.rows, gradient.values)

    def _clip(self, rows: dict[str, RowGradient]) -> float:
        assert self.config.clip_norm is not None
        gradients = [p.grad for p in self._dense.values() if p.grad is not None]
        gradients += [gradient.values for gradient in rows.values()]
        norm = torch.nn.utils.get_total_norm(gradients)
        factor = (self.config.clip_norm / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(gradients, factor)
        return float(norm)

    def catch_up(self) -> None:
        """Bring lazily updated tables to the present, before they are read as a whole."""
        for rowwise in self._rowwise.values():
            rowwise.catch_up_all()

    def tensors(self) -> dict[str, Tensor]:
        """All state as tensors, for a checkpoint."""
        state: dict[str, Tensor] = {"steps": torch.tensor(self.steps)}
        state |= {f"adam/{key}": tensor for key, tensor in self._adam.tensors().items()}
        for name, rowwise in self._rowwise.items():
            state |= {f"rows/{key}/{name}": tensor for key, tensor in rowwise.tensors().items()}
        return state

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that `tensors` gave."""
        self.steps = int(state["steps"])
        adam = {k.removeprefix("adam/"): v for k, v in state.items() if k.startswith("adam/")}
        self._adam.load(adam)
        for name, rowwise in self._rowwise.items():
            keys = rowwise.tensors()
            rowwise.load({key: state[f"rows/{key}/{name}"] for key in keys}, self.steps)
