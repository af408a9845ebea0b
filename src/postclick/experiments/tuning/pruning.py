"""A trial is told how its epochs go, and ends early if it is worse than most."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from postclick.errors import RunFailedError, RunStoppedError
from postclick.runs.history import HISTORY, History

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog
    from postclick.runs.run import Run
    from postclick.runs.settings import RunSettings


class Pruning:
    """A tracker that reports the monitored validation metric of judged epochs to optuna.

    Preparing phases are not reported. The last epoch prunes nothing: the run is over then.

    Attributes:
        epochs: passes so far, preparing ones included.
    """

    name = "pruning"

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.epochs, self.judged = trial, 0, 0

    def start(self, settings: "RunSettings", log: "PreparedLog", folder: Path) -> None:
        self.metric, self.last = settings.training.monitor, settings.epochs
        for record in History(folder / HISTORY).records():
            self.epoch(record)

    def epoch(self, record: dict[str, Any]) -> None:
        self.epochs += 1
        if not record["judged"]:
            return
        self.trial.report(record["valid"][self.metric], self.judged)
        self.judged += 1
        if self.epochs < self.last and self.trial.should_prune():
            raise RunStoppedError(f"pruned after epoch {self.epochs}: worse than most by then")

    def finish(self, run: "Run") -> None:
        self.epochs = len(run.history)

    def fail(self, error: RunFailedError) -> None:
        return None
