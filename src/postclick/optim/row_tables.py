"""The tables of an optimizer: what moves the rows of each, made when it is first needed."""

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import torch
from torch import Tensor

from postclick.errors import InputError
from postclick.extras import require
from postclick.optim.adam_settings import AdamSettings, Mode
from postclick.optim.lazy_adam import LazyAdam

if TYPE_CHECKING:
    from postclick.optim.compiled_adam import CompiledAdam

RowAdam: TypeAlias = Union["CompiledAdam", LazyAdam]
States: TypeAlias = MutableMapping[Tensor, dict[str, Any]]


class RowTables:
    """For each table, by the parameter itself, Adam on its rows.

    Args:
        mode: what rows do that no batch touches.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._rows: dict[Tensor, RowAdam] = {}

    def __contains__(self, table: Tensor) -> bool:
        return table in self._rows

    def __iter__(self) -> Iterator[Tensor]:
        return iter(list(self._rows))

    def find(self, table: Tensor, settings: AdamSettings, states: States) -> RowAdam | None:
        """What moves a table's rows, in the memory where it is now.

        Args:
            states: state by parameter, as `torch.optim.Adam` keeps it; a table's is taken out.

        Returns:
            None for a table that has to be swept as a whole: in mode `exact`, one that the
            kernel does not take.

        Raises:
            InputError: the table was moved while rows waited, or the state is of another.
        """
        row = self._rows.get(table)
        if row is not None and not _is_same_memory(row.table, table):
            if row.behind():
                raise InputError(
                    f"a table {list(table.shape)} was moved or replaced while rows of it waited: "
                    "call catch_up() before"
                )
            states[table] = _state_of(self._rows.pop(table))
            row = None
        if row is None:
            row = self._new(table.detach(), settings)
            if row is not None:
                _load(row, states.pop(table, {}))
                self._rows[table] = row
        elif row.settings != settings:
            row.change(settings)
        return row

    def states(self) -> dict[Tensor, dict[str, Tensor]]:
        """State of each table, as `torch.optim.Adam` keeps it; no row may wait."""
        return {table: _state_of(row) for table, row in self._rows.items()}

    def waiting(self) -> int:
        """How many rows of all tables have not seen every step."""
        return sum(row.behind() for row in self._rows.values())

    def _new(self, data: Tensor, settings: AdamSettings) -> RowAdam | None:
        if data.device.type == "cpu" and data.dtype == torch.float32:
            require("numba", "train", "RowwiseAdam in CPU memory")
            from postclick.optim.compiled_adam import CompiledAdam

            if CompiledAdam.suits(data):
                return CompiledAdam(data, settings, self.mode)
        return None if self.mode == "exact" else LazyAdam(data, settings, self.mode)


def _is_same_memory(one: Tensor, other: Tensor) -> bool:
    facts = [(t.data_ptr(), t.device, t.dtype, t.shape, t.stride()) for t in (one, other)]
    return facts[0] == facts[1]


def _state_of(row: RowAdam) -> dict[str, Tensor]:
    mean, square = row.tensors()["moments"].unbind(1)
    copies = [half.clone(memory_format=torch.contiguous_format) for half in (mean, square)]
    step = torch.tensor(float(row.steps), dtype=torch.float32)
    return {"step": step, "exp_avg": copies[0], "exp_avg_sq": copies[1]}


def _load(row: RowAdam, state: dict[str, Any]) -> None:
    """Take up a state as `_state_of` gives it; of an empty one nothing."""
    if not state:
        return
    if state["exp_avg"].shape != row.table.shape:
        raise InputError(
            f"the state is of a table {list(state['exp_avg'].shape)}, not "
            f"{list(row.table.shape)}: load it into the model that it was saved with"
        )
    steps = int(state["step"])
    moments = torch.stack([state["exp_avg"], state["exp_avg_sq"]], dim=1)
    last = torch.full((len(moments),), steps, dtype=torch.int32)
    # Rows that wait for nothing read no learning rate of the past.
    paid = torch.zeros(steps + 1, dtype=torch.float64)
    row.load({"moments": moments, "last": last, "paid": paid}, steps)
