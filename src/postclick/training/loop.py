"""The training loop. It runs phases of epochs; it knows no method by name."""

import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.evaluation.judge import Judgement, judge
from postclick.evaluation.metric import better
from postclick.methods.base import Labels, Method, Phase
from postclick.nn.embedding import FeatureEmbedding
from postclick.progress import Reporter
from postclick.training.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from postclick.training.config import Monitor, TrainingConfig
from postclick.training.meter import EpochMeter
from postclick.training.optimizer import Optimizer
from postclick.training.schedule import lr_factor

Record = dict[str, Any]
# Beyond these a run is lost even if it is not NaN yet: nothing sound comes near them.
LARGEST_LOSS, LARGEST_WEIGHT = 1e12, 1e5


class TrainingLoop:
    """Trains `method` on the train split of `log`, epoch after epoch.

    Args:
        path: checkpoint file; if it exists, training goes on from it and ends at the same
            weights as without the interruption.
        record: called with one history record after every epoch.
    """

    def __init__(
        self,
        method: Method[Any],
        log: PreparedLog,
        config: TrainingConfig,
        seed: int,
        path: Path,
        reporter: Reporter,
        record: Callable[[Record], None],
    ) -> None:
        self.method, self.log, self.config, self.seed = method, log, config, seed
        self.path, self.reporter, self.record = path, reporter, record
        self.device = next(method.parameters()).device
        self.weights = method.weights()
        self.best: dict[str, Tensor] = {}
        self.position = Position()
        self.steps_per_epoch = log.steps("train", config.batch_size)
        self.epochs = phase_epochs(method.phases, config.epochs)
        self.optimizer = self._optimizer()
        self.resumed = path.exists()
        if self.resumed:
            self._resume()

    @property
    def phase(self) -> Phase:
        return self.method.phases[self.position.phase]

    def run(self) -> None:
        """Train to the end; the method then holds the weights that are kept."""
        while not self.position.finished:
            self._epoch()
        if self.config.keep == "best" and self.best:
            self.method.load_state_dict(self.best)

    def _epoch(self) -> None:
        position = self.position
        began = time.monotonic()
        meter = EpochMeter(self.method.clip, dict(position.meter), position.meter_rows)
        rows_before = meter.rows
        self._train_epoch(meter)
        seconds = time.monotonic() - began
        self.optimizer.catch_up()
        broken = self._diverged_weights()
        if broken is not None:
            raise RunFailedError(f"{self._where()}: {self._cause(broken)}")
        judgement = judge(self.method, self.log, "valid", batch_size=self.config.eval_batch_size)
        improved = self._note_result(judgement)
        record: Record = {
            "phase": self.phase.name,
            "epoch": position.epoch + 1,
            "steps": position.step,
            "rows_per_second": round((meter.rows - rows_before) / max(seconds, 1e-9)),
            "lr": self._lr(),
            **meter.report(),
            "valid": {
                m.metric: m.value for m in judgement.metrics if m.metric in get_args(Monitor)
            },
            "best": improved,
        }
        if judgement.propensity is not None:
            record["held_out"] = {
                "click_over_pi": judgement.propensity.click_over_pi,
                "unclick_over_rest": judgement.propensity.unclick_over_rest,
            }
        self.record(record)
        self._next_epoch()
        self._save()
        gc.collect()

    def _train_epoch(self, meter: EpochMeter) -> None:
        position, config = self.position, self.config
        self.method.train()
        label = f"epoch {position.epoch + 1} of {sum(self.epochs)}"
        self.reporter.start(label, self.log.split("train").rows, "rows")
        if position.step:
            self.reporter.advance(min(position.step * config.batch_size, meter.rows))
        saved = time.monotonic()
        seed = (self.seed + 1) * 1_000_003 + position.epoch
        batches = self.log.shuffled("train", config.batch_size, seed, skip=position.step)
        for batch in batches:
            total = self._step(batch.to(self.device), meter)
            position.step += 1
            position.phase_steps += 1
            self.reporter.advance(len(batch), f"loss {total:.4f}")
            if time.monotonic() - saved > 60 * config.checkpoint_minutes:
                position.meter, position.meter_rows = meter.sums, meter.rows
                self._save()
                saved = time.monotonic()

    def _step(self, batch: Batch, meter: EpochMeter) -> float:
        # Of all parameters: gradients that a phase does not use would pile up.
        self.method.zero_grad()
        bf16 = self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            outputs, terms = self.method.loss(batch, self.phase)
        loss = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        total = loss.item()
        if not abs(total) <= LARGEST_LOSS:  # NaN is not, either
            raise self._diverged(terms)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(self._lr())
        meter.add(terms, total, outputs, Labels.of(batch))
        return total

    def _lr(self) -> float:
        planned = self.epochs[self.position.phase] * self.steps_per_epoch
        return self.config.lr * lr_factor(self.config, self.position.phase_steps, planned)

    def _diverged(self, terms: dict[str, Tensor]) -> RunFailedError:
        values = {name: term.item() for name, term in terms.items()}
        # The first that is NaN, else the largest.
        worst = max(values, key=lambda name: (math.isnan(values[name]), abs(values[name])))
        return RunFailedError(
            f"loss term {worst!r} is {values[worst]:.3g} at {self._where()}; likely cause: "
            f"{self._cause(self._diverged_weights())}"
        )

    def _where(self) -> str:
        return f"epoch {self.position.epoch + 1} step {self.position.step + 1}"

    def _diverged_weights(self) -> str | None:
        named = self.method.named_parameters()
        return next((n for n, p in named if not (p.abs() <= LARGEST_WEIGHT).all()), None)

    def _cause(self, broken: str | None) -> str:
        if broken is not None:
            return (
                f"the weights {broken} have diverged: the learning rate "
                f"({self.config.lr:g}) is too high, lower training.lr or set training.clip_norm=1"
            )
        return (
            "the weights are sound, so look for extreme values in a numeric feature "
            "(transform: log1p) or a propensity clip too close to 0"
        )

    def _note_result(self, judgement: Judgement) -> bool:
        """Keep the weights if the monitored metric is the best so far."""
        position, monitor = self.position, self.config.monitor
        if position.phase < len(self.method.phases) - 1:
            return False
        value = judgement.value(monitor)
        if value is None:
            reason = next((m.undefined for m in judgement.metrics if m.metric == monitor), "")
            raise RunFailedError(
                f"training.monitor={monitor} is undefined on the validation split ({reason}): "
                "choose another metric or prepare with a larger --valid-fraction"
            )
        if position.best is None or better(monitor, value, position.best):
            position.best, position.best_epoch, position.stale = value, position.epoch, 0
            self.best = {n: t.detach().clone() for n, t in self.method.state_dict().items()}
            return True
        position.stale += 1
        return False

    def _next_epoch(self) -> None:
        position, patience = self.position, self.config.patience
        position.epoch += 1
        position.step, position.meter, position.meter_rows = 0, {}, 0
        out_of_patience = patience is not None and position.stale >= patience
        if out_of_patience or position.epoch >= sum(self.epochs):
            position.finished = True
        elif position.epoch >= sum(self.epochs[: position.phase + 1]):
            position.phase += 1
            position.phase_steps = 0
            self.optimizer = self._optimizer()

    def _optimizer(self) -> Optimizer:
        tables = {
            f"{name}.table"
            for name, module in self.method.named_modules()
            if isinstance(module, FeatureEmbedding)
        }
        return Optimizer(self.method.trained(self.phase), tables, self.config)

    def _save(self) -> None:
        groups = {
            "model": dict(self.method.state_dict()),
            "best": self.best,
            "optimizer": self.optimizer.tensors(),
            "random": random_state(),
        }
        save_checkpoint(self.path, Checkpoint(self.position, groups))

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.path)
        self.position = checkpoint.position
        self.method.load_state_dict(checkpoint.groups["model"])
        self.best = checkpoint.groups.get("best", {})
        self.optimizer = self._optimizer()
        self.optimizer.load(checkpoint.groups["optimizer"])
        set_random_state(checkpoint.groups["random"])
        where = f"epoch {self.position.epoch + 1}, step {self.position.step}"
        self.reporter.line(f"resuming from the checkpoint at {where}")


def phase_epochs(phases: tuple[Phase, ...], epochs: int) -> list[int]:
    """Epochs of each phase by its share, at least one each.

    >>> phase_epochs((Phase("teacher", 0.3), Phase("student", 0.7)), 10)
    [3, 7]
    """
    counts = [max(1, round(phase.share * epochs)) for phase in phases[:-1]]
    return [*counts, max(1, epochs - sum(counts))]
