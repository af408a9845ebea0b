"""The optimizer of a run: Adam for the networks, lazy or exact Adam for embedding tables."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from postclick.training.config import TrainingConfig
from postclick.training.lazy_adam import LazyAdam
from postclick.training.tables import RowCollector, RowGradient

STATE_KEYS = ("exp_avg", "exp_avg_sq", "step")


class Optimizer:
    """One Adam over parameters with dense and with sparse gradients.

    In exact mode a table has a persistent dense gradient buffer: the batch's rows are added to
    it, torch's fused Adam runs over the table, and only the touched rows are cleared. The
    result is `torch.optim.Adam`'s.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        tables: set[str],
        config: TrainingConfig,
    ) -> None:
        self.config = config
        trained = [(name, p) for name, p in parameters if p.requires_grad]
        self._tables = {name: p for name, p in trained if name in tables}
        self._dense = {name: p for name, p in trained if name not in tables}
        self._collect = {name: RowCollector(p) for name, p in self._tables.items()}
        exact = config.optimizer == "exact_adam"
        self._lazy = (
            {} if exact else {name: LazyAdam(p.data, config) for name, p in self._tables.items()}
        )
        self._buffers = {n: torch.zeros_like(p) for n, p in self._tables.items()} if exact else {}
        self._dense_adam = {**self._dense, **(self._tables if exact else {})}
        network = config.network_decay
        decays = (
            (self._dense, config.weight_decay if network is None else network),
            (self._tables if exact else {}, config.weight_decay),
        )
        groups = [
            {"params": list(named.values()), "weight_decay": decay}
            for named, decay in decays
            if named
        ]
        self._adam = torch.optim.Adam(
            groups or [torch.zeros(1)],
            lr=config.lr,
            betas=config.betas,
            eps=config.eps,
            fused=True,
        )
        self.steps = 0

    @torch.no_grad()
    def step(self, lr: float) -> float | None:
        """Apply the gradients; returns their norm before clipping if clipping is on."""
        self.steps += 1
        rows = {
            name: self._collect[name](table.grad)
            for name, table in self._tables.items()
            if table.grad is not None
        }
        norm = self._clip(rows) if self.config.clip_norm is not None else None
        for group in self._adam.param_groups:
            group["lr"] = lr
        for name, buffer in self._buffers.items():
            if name in rows:
                buffer.index_copy_(0, rows[name].rows, rows[name].values)
            self._tables[name].grad = buffer
        self._adam.step()
        for name, buffer in self._buffers.items():
            if name in rows:
                buffer.index_fill_(0, rows[name].rows, 0.0)
        for name, lazy in self._lazy.items():
            if name in rows:
                lazy.step(rows[name], lr)
        return norm

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
        for lazy in self._lazy.values():
            lazy.catch_up_all()

    def tensors(self) -> dict[str, Tensor]:
        """All state as tensors, for a checkpoint."""
        state: dict[str, Tensor] = {"steps": torch.tensor(self.steps)}
        for name, parameter in self._dense_adam.items():
            for key in STATE_KEYS:
                if key in self._adam.state[parameter]:
                    state[f"adam/{key}/{name}"] = self._adam.state[parameter][key]
        for name, lazy in self._lazy.items():
            state |= {f"lazy/{key}/{name}": tensor for key, tensor in lazy.tensors().items()}
        return state

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that `tensors` gave."""
        self.steps = int(state["steps"])
        for name, parameter in self._dense_adam.items():
            for key in STATE_KEYS:
                full = f"adam/{key}/{name}"
                if full in state:
                    self._adam.state[parameter][key] = state[full].clone().to(parameter.device)
        for name, lazy in self._lazy.items():
            keys = lazy.tensors()
            lazy.load({key: state[f"lazy/{key}/{name}"] for key in keys}, self.steps)
