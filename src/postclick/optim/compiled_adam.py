"""`CompiledAdam`: Adam on a float32 table in CPU memory, by the compiled kernel."""

import math
import subprocess
import sys
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from postclick.optim import adam_kernel as kernel
from postclick.optim.adam_settings import AdamSettings, Mode
from postclick.system.compiled import is_kept, mark_kept
from postclick.system.threads import parts_of, run_parts

FIRST_STEPS = 1024
# Up to this many missed steps are taken one by one: as fast as the closed form, and exact.
REPLAYED = 16
ALL_STEPS, NO_STEPS = np.iinfo(np.int32).max, -1
# Fewer ids than this are not worth another thread.
IDS_PER_PART = 4096


@cache
def load_machine_code() -> None:
    """Have the kernel's machine code in this process; without it, the first step would wait for it.

    Where it is not on disk it is compiled in a process of its own: code that numba has just
    compiled and the same code from disk round differently in the last digit, and a resumed run has
    to end at the weights of one that was never interrupted. Where nothing can be kept, every
    process compiles for itself and all are alike too.
    """
    if is_kept(kernel.step_rows) is False:
        program = f"from {__name__} import call_kernel; call_kernel()"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        # Should it fail, this process compiles for itself: right to rounding, but not bit for bit.
        if done.returncode == 0:
            mark_kept(kernel.step_rows)
    call_kernel()


def call_kernel() -> None:
    """Call every part of the kernel once."""
    adam = CompiledAdam(torch.zeros(1, 1), AdamSettings(1e-4), load=False)
    adam.catch_up_all()
    adam.step(torch.zeros(1, dtype=torch.int64), torch.zeros(1, 1), 0.0)


class CompiledAdam:
    """Adam for one table [rows, dim] whose cost goes by touched rows, not by table size.

    Call `prepare` with the ids of a batch before the table is read for it, then `step` with the
    gradient, and `catch_up_all` before the table is read as a whole.

    Args:
        table: float32 [rows, dim], contiguous and in CPU memory; updated in place.
        mode: `exact` takes every missed step one by one. The table is then `torch.optim.Adam`'s
            to rounding; it costs arithmetic on rows in cache instead of a sweep over all memory.
            `lazy` takes long waits in closed form, as `LazyAdam` does. Under `sparse` rows that
            no batch touches stay, moments and all, as in `torch.optim.SparseAdam`.
        load: have the machine code loaded now; see `load_machine_code`.

    Raises:
        InputError: the betas have no closed form, in mode `lazy`.
    """

    def __init__(
        self, table: Tensor, settings: AdamSettings, mode: Mode = "lazy", *, load: bool = True
    ) -> None:
        if mode == "lazy":
            settings.check_closed_form()
        if load:
            load_machine_code()
        self.table = table
        self._weights = table.numpy()
        rows, dim = table.shape
        # Both moments of a row lie side by side: one place in memory to fetch.
        self._moments = torch.zeros(rows, 2, dim)
        self._index = torch.zeros(rows, 2, dtype=torch.int32)
        self.steps = 0
        self.settings = settings
        self._mode = mode
        self._replay = {"exact": ALL_STEPS, "lazy": REPLAYED, "sparse": NO_STEPS}[mode]
        self._rates = self._make_rates(np.zeros(FIRST_STEPS))
        self._ids = np.empty(0, np.int64)
        self._found = np.empty((1, 0), np.int64)
        self._since = np.empty((1, 0), np.int32)
        self._slots = np.empty(0, np.int32)
        self._counts = np.zeros(1, np.int64)
        self._sums = np.empty((0, dim), np.float32)

    @staticmethod
    def suits(table: Tensor) -> bool:
        """Whether the kernel can work on this table."""
        return table.device.type == "cpu" and table.dtype == torch.float32 and table.is_contiguous()

    def prepare(self, ids: Tensor) -> None:
        """Bring the rows of `ids` (int64, any shape, repeats allowed) to the present."""
        self._forget_listed()
        self._ids = flat = ids.reshape(-1).numpy()
        parts = parts_of(len(flat), IDS_PER_PART)
        if self._found.shape[0] != parts or self._found.shape[1] < len(flat):
            self._found = np.empty((parts, len(flat)), np.int64)
            self._since = np.empty((parts, len(flat)), np.int32)
            self._slots = np.empty(len(flat), np.int32)
            self._sums = np.empty((len(flat), self.table.shape[1]), np.float32)
        self._counts = np.zeros(parts, np.int64)
        run_parts(
            kernel.bring_rows,
            parts,
            flat,
            self._weights,
            self._moments.numpy(),
            self._index.numpy(),
            self._found,
            self._since,
            self._slots,
            self._counts,
            self.steps,
            self._rates,
        )

    def step(self, ids: Tensor, values: Tensor, lr: float) -> None:
        """One Adam step on the prepared rows.

        Args:
            ids: int64 [k], prepared rows, repeats allowed; rows without a gradient get 0.
            values: float32 [k, dim], their gradients, summed where ids repeat.
        """
        if not self._counts.any():
            self.prepare(ids)
        slots = self._slots_of(ids.numpy())
        self.steps += 1
        if self.steps == len(self._rates.paid):
            self._rates = self._make_rates(np.append(self._rates.paid, np.zeros(self.steps)))
        paid = self._rates.paid
        paid[self.steps] = paid[self.steps - 1] + lr
        run_parts(
            kernel.step_rows,
            len(self._counts),
            ids.numpy(),
            slots,
            values.contiguous().numpy(),
            self._weights,
            self._moments.numpy(),
            self._index.numpy(),
            self._found,
            self._counts,
            self._sums,
            self.steps,
            self._rates,
        )
        self._counts[:] = 0

    def catch_up_all(self) -> None:
        """Bring every row to the present."""
        self._counts[:] = 0
        if self._mode == "sparse":
            return
        run_parts(
            kernel.bring_all,
            parts_of(len(self._weights), IDS_PER_PART),
            self._weights,
            self._moments.numpy(),
            self._index.numpy(),
            self.steps,
            self._rates,
        )

    def tensors(self) -> dict[str, Tensor]:
        """State for a checkpoint, as `LazyAdam` has it; `steps` is kept by the caller."""
        return {
            "moments": self._moments,
            "last": self._index[:, 0] >> 1,
            "paid": torch.from_numpy(self._rates.paid[: self.steps + 1].copy()),
        }

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        self._moments.copy_(tensors["moments"])
        self._index[:, 0] = 2 * tensors["last"]
        self.steps = steps
        self._counts[:] = 0
        paid = np.zeros(max(FIRST_STEPS, 2 * steps + 2))
        paid[: steps + 1] = tensors["paid"].numpy()
        self._rates = self._make_rates(paid)

    def behind(self, ids: Tensor | None = None) -> int:
        """How many of `ids` (int64 [k]), or of all rows, have not seen every step."""
        if self._mode == "sparse" or (ids is not None and self.is_prepared_for(ids)):
            return 0
        seen = self._index[:, 0] if ids is None else self._index[ids, 0]
        return int(((seen >> 1) < self.steps).sum())

    def is_prepared_for(self, ids: Tensor) -> bool:
        """Whether `ids` (int64 [k]) are just what `prepare` was given for the next step."""
        return bool(self._counts.any()) and np.array_equal(ids.numpy(), self._ids)

    def change(self, settings: AdamSettings) -> None:
        """Go on with other settings; the steps until now are of the old ones."""
        if self._mode == "lazy":
            settings.check_closed_form()
        self.catch_up_all()
        self.settings = settings
        self._rates = self._make_rates(self._rates.paid)

    def _slots_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Where `ids` were found by `prepare`: usually they are just what it was given."""
        if np.array_equal(ids, self._ids):
            return self._slots
        state = self._index.numpy()[ids]
        strange = int((state[:, 0] != 2 * self.steps + 1).sum())
        if strange:
            raise ValueError(f"{strange} rows have gradients but were not prepared for this step")
        return np.ascontiguousarray(state[:, 1])

    def _forget_listed(self) -> None:
        """Rows that were prepared for a step that never came lose their slots."""
        for listed, count in zip(self._found, self._counts, strict=False):
            self._index[torch.from_numpy(listed[:count]), 0] = 2 * self.steps

    def _make_rates(self, paid: np.ndarray) -> kernel.Rates:
        settings = self.settings
        beta1, beta2 = settings.betas
        steps = np.arange(2 * len(paid), dtype=np.float64)
        # Without a closed form none of what is made of this is read.
        momentum = 1 / (1 - beta1 / math.sqrt(beta2)) if beta1 * beta1 < beta2 else 1.0
        return kernel.Rates(
            decay=settings.weight_decay,
            eps=settings.eps,
            beta1=beta1,
            beta2=beta2,
            paid=paid,
            power1=beta1**steps,
            power2=beta2**steps,
            root2=beta2 ** (0.5 * steps),
            spent1=beta1 ** (0.5 * momentum),
            spent2=beta2 ** (0.5 * momentum),
            rate=-0.5 * math.log(beta2) if beta2 else math.inf,
            momentum_steps=math.ceil(momentum),
            # The square of what decays is then above 1e-36, with what a few steps leave of it.
            tiny=1e-17 / settings.weight_decay if settings.weight_decay else 0.0,
            replay=self._replay,
        )
