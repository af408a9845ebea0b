"""The training loop. It runs phases of epochs; it knows no method by name."""

import gc
import time
from collections import Counter
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
from postclick.methods.exposed import table_name
from postclick.metrics.catalogue import better
from postclick.nn.embedding import FeatureEmbedding
from postclick.progress import Reporter
from postclick.runs.training_config import Monitor, TrainingConfig
from postclick.spelling import option
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
    worst_term,
)
from postclick.training.meter import EpochMeter
from postclick.training.optimizer import Optimizer
from postclick.training.precision import Precision
from postclick.training.schedule import lr_factor

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
        self.position = Position()
        self.steps_per_epoch = log.steps("train", config.rows_per_step)
        self.phases = method.schedule(config.epochs)
        self.optimizers: dict[str, Optimizer] = {}
        self.tables = {
            f"{name}.table"
            for name, module in method.named_modules()
            if isinstance(module, FeatureEmbedding)
        }
        heads = () if method.exposure is None else method.exposure.heads
        self.exposures = [table_name(head) for head in heads]
        self.tables |= set(self.exposures)
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
        for optimizer in self.optimizers.values():
            optimizer.catch_up()
        seconds = time.monotonic() - began
        if diverged_weights(self.method) is not None:
            cause = likely_cause(self.method, self.config.lr)
            raise RunFailedError(f"{self._where()}: {cause}")
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
        self._next_epoch()
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
            self._bring_rows(batch)
            total = sum(
                self._step(batch, step, meter, again=k > 0)
                for k, step in enumerate(self.phase.steps)
            )
            position.step += 1
            position.phase_steps += 1
            self.reporter.advance(len(batch), f"loss {total:.4f}")
            if time.monotonic() - saved > 60 * config.checkpoint_minutes:
                position.meter, position.meter_rows = meter.sums, meter.rows
                self._save()
                saved = time.monotonic()

    def _bring_rows(self, batch: Batch) -> None:
        """Embeddings that a batch reads have to be what they are by now."""
        ids = torch.cat([batch.ids.flatten(), *(bag.values for bag in batch.bags)])
        exposed = None
        if batch.exposure is not None:
            exposed = dict.fromkeys(self.exposures, batch.exposure)
        for step in self.phase.steps:
            self._optimizer(step).prepare(ids, exposed)

    def _step(self, batch: Batch, step: Step, meter: EpochMeter, *, again: bool) -> float:
        optimizer = self._optimizer(step)
        # Of all parameters: gradients that a step does not use would pile up.
        for parameter in self.parameters:
            parameter.grad = None
        bf16 = self.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            outputs, terms = self.method.loss(batch, step)
        loss = weighted_sum(terms)
        total = loss.item()
        if diverged(total):
            name, value = worst_term(terms)
            manifest = self.log.manifest
            names = [column.name for column in manifest.numerics]
            vectors = [vector.name for vector in manifest.vectors for _ in range(vector.size)]
            cause = likely_cause(self.method, self.config.lr, batch.numeric, names, vectors)
            raise RunFailedError(
                f"loss term {name!r} is {value:.3g} at {self._where()}; likely cause: {cause}"
            )
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
        out_of_patience = patience is not None and position.stale >= patience
        ended = position.epoch >= sum(p.epochs for p in self.phases[: position.phase + 1])
        if out_of_patience or (ended and position.phase + 1 == len(self.phases)):
            position.finished = True
        elif ended:
            position.phase += 1
            position.phase_steps = 0
            self.method.begin(self.phase)

    def _optimizer(self, step: Step) -> Optimizer:
        """The step's own optimizer; a step of the same name goes on with it."""
        if step.name not in self.optimizers:
            steps = {s.name: s for p in self.phases for s in p.steps}
            trained = {n: list(self.method.trained(s)) for n, s in steps.items()}
            owners = Counter(name for found in trained.values() for name, _ in found)
            tables = {name for name in owners if name in self.tables}
            shared = {name for name in tables if owners[name] > 1}
            self.optimizers[step.name] = Optimizer(trained[step.name], tables, self.config, shared)
        return self.optimizers[step.name]

    def _save(self) -> None:
        if self.position.finished:
            # What is left to do is to write the model: moments, twice its size, have no use.
            groups = {"model": self._kept(), "random": random_state()}
        else:
            groups = {
                "model": dict(self.method.state_dict()),
                "best": self.best,
                "random": random_state(),
            }
            for name, optimizer in self.optimizers.items():
                groups[f"optimizer {name}"] = optimizer.tensors()
        save_checkpoint(self.path, Checkpoint(self.position, groups))

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.path)
        self.position = checkpoint.position
        self.method.load_state_dict(checkpoint.groups["model"])
        self.best = checkpoint.groups.get("best", {})
        for step in (step for phase in self.phases for step in phase.steps):
            state = checkpoint.groups.get(f"optimizer {step.name}")
            if state is not None:
                self._optimizer(step).load(state)
        set_random_state(checkpoint.groups["random"])
        where = f"epoch {self.position.epoch + 1}, step {self.position.step}"
        self.reporter.line(f"resuming from the checkpoint at {where}")
