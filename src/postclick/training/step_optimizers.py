"""The optimizers of a run, one for each kind of step."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from postclick.data.batch import Batch
from postclick.methods.base import Method, Phase, Step
from postclick.methods.exposed import table_name
from postclick.nn.embedding import FeatureEmbedding
from postclick.runs.training_config import TrainingConfig
from postclick.training.optimizer import Optimizer

# Before the step's name, among the groups of a checkpoint.
GROUP = "optimizer "


class StepOptimizers:
    """Optimizers by the name of the step, made when a step first comes; each lives as long as
    the run, so that a step of the same name in a later phase goes on with it.
    """

    def __init__(
        self, method: Method[Any], phases: Sequence[Phase], config: TrainingConfig
    ) -> None:
        self._config, self._made = config, dict[str, Optimizer]()
        steps = {step.name: step for phase in phases for step in phase.steps}
        self._steps = steps
        self._trained = {name: list(method.trained(step)) for name, step in steps.items()}
        heads = () if method.exposure is None else method.exposure.heads
        self._exposures = [table_name(head) for head in heads]
        modules = method.named_modules()
        embeddings = {f"{n}.table" for n, m in modules if isinstance(m, FeatureEmbedding)}
        owners = Counter(name for found in self._trained.values() for name, _ in found)
        self._tables = owners.keys() & (embeddings | {*self._exposures})
        self._shared = {name for name in self._tables if owners[name] > 1}

    def of(self, step: Step) -> Optimizer:
        name = step.name
        if name not in self._made:
            trained = self._trained[name]
            self._made[name] = Optimizer(trained, self._tables, self._config, self._shared)
        return self._made[name]

    def prepare(self, steps: Iterable[Step], batch: Batch) -> None:
        """Bring the embeddings that `steps` read of a batch to the present."""
        ids = torch.cat([batch.ids.flatten(), *(bag.values for bag in batch.bags)])
        exposed = None
        if batch.exposure is not None:
            exposed = dict.fromkeys(self._exposures, batch.exposure)
        for step in steps:
            self.of(step).prepare(ids, exposed)

    def catch_up(self) -> None:
        """Bring lazily updated tables to the present, before they are read as a whole."""
        for optimizer in self._made.values():
            optimizer.catch_up()

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All state, in groups for a checkpoint."""
        return {f"{GROUP}{name}": made.tensors() for name, made in self._made.items()}

    def load(self, groups: Mapping[str, dict[str, Tensor]]) -> None:
        """Take up the state that `tensors` gave."""
        for name, step in self._steps.items():
            if f"{GROUP}{name}" in groups:
                self.of(step).load(groups[f"{GROUP}{name}"])
