"""The training loop. It runs phases of epochs; it knows no method by name."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from postclick.data.ahead import on_device
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.judging.judge import Judgement, judge
from postclick.losses import weighted_sum
from postclick.methods.base import Labels, Method, Phase, Step
from postclick.metrics.catalogue import better
from postclick.progress import Reporter
from postclick.runs.training_config import Monitor, TrainingConfig
from postclick.spelling import option
from postclick.training.averaging import WeightAverage, is_sampled
from postclick.training.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from postclick.training.divergence import (
    ODD_LOSS,
    diverged,
    diverged_weights,
    likely_cause,
    lost_run,
)
from postclick.training.meter import EpochMeter
from postclick.training.precision import Precision
from postclick.training.schedule import lr_factor
from postclick.training.step_optimizers import StepOptimizers

Record = dict[str, Any]


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
        self.precision: Precision = "bf16" if config.precision == "bf16" else "fp32"
        self.parameters = list(method.parameters())
        self.best: dict[str, Tensor] = {}
        self.average = WeightAverage()
        self.position = Position()
        self.steps_per_epoch = log.steps("train", config.rows_per_step)
        self.phases = method.schedule(config.epochs)
        self.optimizers = StepOptimizers(method, self.phases, config)
        if path.exists():
            self._resume()
        else:
            method.begin(self.phase)

    @property
    def phase(self) -> Phase:
        return self.phases[self.position.phase]

    def first_batch(self) -> Batch:
        """A batch of the training split as the first epoch begins with, on the run's device."""
        rows = self.config.rows_per_step
        return next(iter(self.log.shuffled("train", rows, self.seed))).to(self.device)

    def run(self) -> None:
        """Train to the end; the method then holds the weights that are kept."""
        while not self.position.finished:
            self._epoch()
        self.method.load_state_dict(self._kept())

    def _kept(self) -> dict[str, Tensor]:
        """The weights that the run keeps, as far as it has come."""
        best = self.config.keep == "best" and self.best
        return self.best if best else dict(self.method.state_dict())

    def _epoch(self) -> None:
        position = self.position
        began = time.monotonic()
        meter = EpochMeter(
            self.method.clip,
            self.method.propensity_head,
            dict(position.meter),
            position.meter_rows,
        )
        rows_before = meter.rows
        self._train_epoch(meter)
        self.optimizers.catch_up()
        seconds = time.monotonic() - began
        if diverged_weights(self.method) is not None:
            cause = likely_cause(self.method, self.config.lr)
            raise RunFailedError(f"{self._where()}: {cause}")
        descended = self._take_mean()
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
            "judged": self.phase.judged,
            "best": improved,
        }
        if judgement.propensity is not None:
            record["held_out"] = {
                "click_over_pi": judgement.propensity.click_over_pi,
                "unclick_over_rest": judgement.propensity.unclick_over_rest,
            }
        self.record(record)
        if record["loss"] > ODD_LOSS:
            self.reporter.line(
                f"warning: a mean loss of {record['loss']:.3g} means nothing: "
                f"{likely_cause(self.method, self.config.lr)}"
            )
        phase = position.phase
        self._next_epoch()
        if descended is not None and phase == position.phase and not position.finished:
            self.method.load_state_dict(descended)
        self._save()
        gc.collect()

    def _train_epoch(self, meter: EpochMeter) -> None:
        position, config = self.position, self.config
        self.method.train()
        label = f"epoch {position.epoch + 1} of {sum(phase.epochs for phase in self.phases)}"
        label += f" ({self.phase.name})" if len(self.phases) > 1 else ""
        self.reporter.start(label, self.log.split("train").rows, "rows")
        if position.step:
            self.reporter.advance(min(position.step * config.rows_per_step, meter.rows))
        saved = time.monotonic()
        seed = (self.seed + 1) * 1_000_003 + position.epoch
        batches = self.log.shuffled("train", config.rows_per_step, seed, skip=position.step)
        for batch in on_device(batches, self.device):
            self.method.progress = position.phase_steps / self._planned()
            self.optimizers.prepare(self.phase.steps, batch)
            total = sum(
                self._step(batch, step, meter, again=k > 0)
                for k, step in enumerate(self.phase.steps)
            )
            position.step += 1
            position.phase_steps += 1
            if is_sampled(position.step, self.steps_per_epoch, config.average):
                self.optimizers.catch_up()
                self.average.add(self.method)
            self.reporter.advance(len(batch), f"loss {total:.4f}")
            if time.monotonic() - saved > 60 * config.checkpoint_minutes:
                position.meter, position.meter_rows = meter.sums, meter.rows
                self._save()
                saved = time.monotonic()

    def _take_mean(self) -> dict[str, Tensor] | None:
        """Have the mean of weights in the method, if there is one; returns those it had."""
        if not self.average.count:
            return None
        had = {n: t.detach().clone() for n, t in self.method.state_dict().items()}
        self.method.load_state_dict(self.average.weights(self.method))
        return had

    def _step(self, batch: Batch, step: Step, meter: EpochMeter, *, again: bool) -> float:
        optimizer = self.optimizers.of(step)
        # Of all parameters: gradients that a step does not use would pile up.
        for parameter in self.parameters:
            parameter.grad = None
        bf16 = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            outputs, terms = self.method.loss(batch, step)
        loss = weighted_sum(terms)
        total = loss.item()
        if diverged(total):
            where, manifest = self._where(), self.log.manifest
            raise lost_run(self.method, terms, where, self.config.lr, batch, manifest)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step(self._lr())
        meter.add(terms, total, outputs, Labels.of(batch), again=again, weight=batch.weight)
        return total

    def _planned(self) -> int:
        return self.phase.epochs * self.steps_per_epoch

    def _lr(self) -> float:
        return self.config.lr * lr_factor(self.config, self.position.phase_steps, self._planned())

    def _where(self) -> str:
        return f"epoch {self.position.epoch + 1} step {self.position.step + 1}"

    def _note_result(self, judgement: Judgement) -> bool:
        """Keep the weights if the monitored metric is the best so far."""
        position, monitor = self.position, self.config.monitor
        if not self.phase.judged:
            return False
        value = judgement.value(monitor)
        if value is None:
            reason = next((m.undefined for m in judgement.metrics if m.metric == monitor), "")
            raise RunFailedError(
                f"training.monitor={monitor} is undefined on the validation split ({reason}): "
                f"choose another metric or prepare with a larger {option('valid_fraction')}"
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
        self.average = WeightAverage()
        out_of_patience = patience is not None and position.stale >= patience
        ended = position.epoch >= sum(p.epochs for p in self.phases[: position.phase + 1])
        if out_of_patience or (ended and position.phase + 1 == len(self.phases)):
            position.finished = True
        elif ended:
            position.phase += 1
            position.phase_steps = 0
            self.method.begin(self.phase)

    def _save(self) -> None:
        if self.position.finished:
            # What is left to do is to write the model: moments, twice its size, have no use.
            groups = {"model": self._kept(), "random": random_state()}
        else:
            groups = {
                "model": dict(self.method.state_dict()),
                "best": self.best,
                "average": self.average.tensors(),
                "random": random_state(),
            }
            groups |= self.optimizers.tensors()
        save_checkpoint(self.path, Checkpoint(self.position, groups))

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.path)
        self.position = checkpoint.position
        self.method.load_state_dict(checkpoint.groups["model"])
        self.best = checkpoint.groups.get("best", {})
        self.average.load(checkpoint.groups.get("average", {}))
        self.optimizers.load(checkpoint.groups)
        set_random_state(checkpoint.groups["random"])
        where = f"epoch {self.position.epoch + 1}, step {self.position.step}"
        self.reporter.line(f"resuming from the checkpoint at {where}")
