"""Adam on the touched rows of an embedding table, with the untouched steps caught up, in torch.

Under dense Adam a row that no batch touches still moves: its momentum runs out, and coupled
weight decay, divided by a shrinking second moment, pulls it to zero. Both depend on nothing but
the row itself, so they can wait until the row is next needed. Skipping them, as lazy updates
usually do, changes what is learned (PERFORMANCE: .04 AUC by the second epoch).
"""

import math
from typing import Literal

import torch
from torch import Tensor

from postclick.optim.adam_settings import AdamSettings
from postclick.optim.row_gradient import RowCollector

# The waiting time is integrated in this many stretches; see `_drift`.
STRETCHES = 2
ROWS_AT_ONCE = 1 << 20
FIRST_STEPS = 1024


class LazyAdam:
    """Adam for one table [rows, dim]; `step` costs by touched rows, not by table size.

    Runs on any device and in any precision; `CompiledAdam` does the same faster in CPU memory.
    Call `prepare` with the ids of a batch before the table is read for it, then `step` with the
    gradient, and `catch_up_all` before the table is read as a whole (validation, saving).

    Args:
        table: float [rows, dim], updated in place.
        mode: under `sparse` rows that no batch touches stay, moments and all, as in
            `torch.optim.SparseAdam`; nothing has to be prepared or caught up.

    Raises:
        InputError: the betas have no closed form, in mode `lazy`.
    """

    def __init__(
        self, table: Tensor, settings: AdamSettings, mode: Literal["lazy", "sparse"] = "lazy"
    ) -> None:
        self.table = table
        self._waits = mode == "lazy"
        self._take(settings)
        rows, dim = table.shape
        self.moments = torch.zeros(rows, 2, dim, dtype=table.dtype, device=table.device)
        self.mean, self.square = self.moments.unbind(1)
        self.last = torch.zeros(table.shape[0], dtype=torch.int32, device=table.device)
        self.steps = 0
        self._collect = RowCollector(table)
        # Sum of the learning rates of steps 1..k at index k: a schedule changes them while a
        # row waits, and it has to move as far as it would have moved then.
        self._paid = torch.zeros(FIRST_STEPS, dtype=torch.float64, device=table.device)

    @torch.no_grad()
    def prepare(self, ids: Tensor) -> None:
        """Bring the rows of `ids` (int64, any shape, repeats allowed) to the present."""
        if not self._waits:
            return
        rows = torch.unique(ids)
        late = rows[self.last[rows] < self.steps]
        if len(late):
            self._store(late, *self._caught_up(late))

    @torch.no_grad()
    def step(self, ids: Tensor, values: Tensor, lr: float) -> None:
        """One Adam step on the rows of `ids` [k], after what they missed.

        Gradients `values` [k, dim] are summed where ids repeat.
        """
        rows, values = self._collect(ids, values)
        weight, mean, square = self._caught_up(rows)
        self.steps += 1
        if self.steps == len(self._paid):
            self._paid = torch.cat([self._paid, torch.zeros_like(self._paid)])
        self._paid[self.steps] = self._paid[self.steps - 1] + lr
        values = values.add(weight, alpha=self.decay) if self.decay else values
        mean.lerp_(values, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(values, values, value=1 - self.beta2)
        correction1 = 1 - self.beta1**self.steps
        correction2 = 1 - self.beta2**self.steps
        denominator = square.sqrt().mul_(1 / math.sqrt(correction2)).add_(self.eps)
        weight.addcdiv_(mean, denominator, value=-lr / correction1)
        self._store(rows, weight, mean, square)

    @torch.no_grad()
    def catch_up_all(self) -> None:
        """Bring every row to the present, a slice at a time."""
        if not self._waits:
            return
        for start in range(0, len(self.table), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(self.table))
            rows = torch.arange(start, stop, device=self.table.device)
            late = rows[self.last[rows] < self.steps]
            if len(late):
                self._store(late, *self._caught_up(late))

    def behind(self, ids: Tensor | None = None) -> int:
        """How many of `ids` (int64 [k]), or of all rows, have not seen every step."""
        seen = self.last if ids is None else self.last[ids]
        return int((seen < self.steps).sum()) if self._waits else 0

    def is_prepared_for(self, ids: Tensor) -> bool:
        """True: a step brings up itself what is late of its rows."""
        return True

    def change(self, settings: AdamSettings) -> None:
        """Go on with other settings; the steps until now are of the old ones."""
        self.catch_up_all()
        self._take(settings)

    def _take(self, settings: AdamSettings) -> None:
        if self._waits:
            settings.check_closed_form()
        self.settings = settings
        self.decay, self.eps = settings.weight_decay, settings.eps
        self.beta1, self.beta2 = settings.betas

    def _store(self, rows: Tensor, weight: Tensor, mean: Tensor, square: Tensor) -> None:
        self.table.index_copy_(0, rows, weight)
        self.mean.index_copy_(0, rows, mean)
        self.square.index_copy_(0, rows, square)
        self.last.index_fill_(0, rows, self.steps)

    def _caught_up(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights and moments of `rows` as dense Adam would have them by now."""
        now = self.steps
        weight = self.table.index_select(0, rows)
        mean = self.mean.index_select(0, rows)
        square = self.square.index_select(0, rows)
        last = self.last.index_select(0, rows)
        if not self._waits:
            return weight, mean, square
        late = ((last < now) & (last > 0)).nonzero().squeeze(1)
        if self.decay:  # decay also moves rows that were never touched
            late = (last < now).nonzero().squeeze(1)
        if len(late) == 0:
            return weight, mean, square
        moved = self._drift(weight[late], mean[late], square[late], last[late].long())
        for whole, part in zip((weight, mean, square), moved, strict=True):
            whole.index_copy_(0, late, part)
        return weight, mean, square

    def _drift(
        self, weight: Tensor, mean: Tensor, square: Tensor, touched: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where rows move from the step that `touched` them until now, decay their only gradient.

        The momentum left over is a geometric series with ratio beta1 / sqrt(beta2). Decay
        obeys dw/dj = -lr decay w / (sqrt(s_j) + eps) with s_j = beta2^j s_0 while the second
        moment forgets; that integral has a closed form. s also gains (decay w)^2, which is
        added after each of a few stretches of the wait.
        """
        now = self.steps
        ratio = self.beta1 / math.sqrt(self.beta2)
        # Momentum is spent within about 1 / (1 - ratio) steps, decay acts all the time.
        tail_lr = self._mean_lr(touched, math.ceil(1 / (1 - ratio)), weight.dtype)
        lr = self._mean_lr(touched, now, weight.dtype)
        last = touched.unsqueeze(1).to(weight.dtype)
        gap = now - last
        series = ratio * (1 - ratio**gap) / (1 - ratio)
        # Bias corrections at the middle of the time in which momentum is spent.
        spent = (last + 0.5 * gap.clamp(max=1 / (1 - ratio))).clamp(min=1.0)
        scale = (square / (1 - self.beta2**spent)).sqrt() + self.eps
        weight = weight - tail_lr * series * (mean / (1 - self.beta1**spent)) / scale
        mean = mean * self.beta1**gap
        if not self.decay:
            return weight, mean, square * self.beta2**gap
        rate = -0.5 * math.log(self.beta2)
        root = (1 - self.beta2 ** (0.5 * (last + now)).clamp(min=1.0)).sqrt()
        stretch = gap / STRETCHES
        forget = self.beta2**stretch
        for _ in range(STRETCHES):
            pull = self.decay * weight
            # Half of what decay adds to the second moment during the stretch counts within it.
            gained = (1 - forget) * pull.square()
            amplitude = (square + 0.5 * gained).sqrt() / root
            growth = torch.log1p(self.eps * torch.expm1(rate * stretch) / (amplitude + self.eps))
            exponent = lr * self.decay * growth / (rate * self.eps)
            weight = weight * torch.exp(-exponent)
            square = forget * square + gained
        return weight, mean + self.decay * weight * (1 - self.beta1**gap), square

    def _mean_lr(self, touched: Tensor, steps: int, dtype: torch.dtype) -> Tensor:
        """[k, 1]: mean learning rate over at most `steps` steps after `touched`, until now."""
        end = (touched + steps).clamp(max=self.steps)
        paid = self._paid[end] - self._paid[touched]
        return (paid / (end - touched)).unsqueeze(1).to(dtype)

    def tensors(self) -> dict[str, Tensor]:
        """State for a checkpoint; `steps` is kept by the caller."""
        paid = self._paid[: self.steps + 1]
        return {"moments": self.moments, "last": self.last, "paid": paid}

    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        self.moments.copy_(tensors["moments"])
        self.last.copy_(tensors["last"])
        self.steps = steps
        room = torch.zeros(max(FIRST_STEPS, 2 * steps), dtype=torch.float64)
        room[: steps + 1] = tensors["paid"]
        self._paid = room.to(self.table.device)
