"""The contract of a tracker, and the watch that a run keeps on its trackers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from postclick.errors import RunFailedError
from postclick.progress import Reporter

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog
    from postclick.runs.run import Run
    from postclick.runs.settings import RunSettings


class Tracker(Protocol):
    """Something that is told how a run goes.

    A tracker that raises is dropped, and the run goes on; but `RunFailedError`, and so
    `RunStoppedError`, ends the run, which is then removed.

    Attributes:
        name: for messages, e.g. `mlflow`.
    """

    name: str

    def start(self, settings: "RunSettings", log: "PreparedLog", folder: Path) -> None:
        """A run begins or is resumed; `folder` has it, history.jsonl too, while it is unfinished.

        What is written there, e.g. an id, is there again when the run is resumed.
        """

    def epoch(self, record: dict[str, Any]) -> None:
        """An epoch ended, and its record has been added to history.jsonl."""

    def finish(self, run: "Run") -> None:
        """The run is finished and in its place."""

    def fail(self, error: RunFailedError) -> None:
        """The run diverged or was ended, and cannot be resumed."""


class Watch:
    """The trackers of a run: one that fails is told in one line and left out from then on."""

    def __init__(self, trackers: Sequence[Tracker], reporter: Reporter) -> None:
        self.trackers, self.reporter = list(trackers), reporter

    def start(self, settings: "RunSettings", log: "PreparedLog", folder: Path) -> None:
        self._each(lambda tracker: tracker.start(settings, log, folder))

    def epoch(self, record: dict[str, Any]) -> None:
        self._each(lambda tracker: tracker.epoch(record))

    def finish(self, run: "Run") -> None:
        self._each(lambda tracker: tracker.finish(run))

    def fail(self, error: RunFailedError) -> None:
        self._each(lambda tracker: tracker.fail(error))

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self.trackers):
            try:
                tell(tracker)
            except RunFailedError:
                raise
            except Exception as error:
                self.trackers.remove(tracker)
                self.reporter.line(dropped(tracker.name, error))


def dropped(name: str, error: Exception) -> str:
    """One line about a tracker that failed.

    >>> dropped("mlflow", OSError("no route to host"))
    'warning: mlflow tracking failed (OSError: no route to host); the run goes on without it'
    """
    text = " ".join(str(error).split())
    text = text if len(text) <= 160 else text[:160] + "..."
    return (
        f"warning: {name} tracking failed ({type(error).__name__}: {text}); "
        "the run goes on without it"
    )


def metrics_of(record: dict[str, Any]) -> dict[str, float]:
    """The numbers of an epoch's record, in one level: `terms/ctr`, `valid/cvr_nll`, ...

    >>> metrics_of({"epoch": 1, "phase": "joint", "loss": 0.5, "valid": {"ctr_nll": None}})
    {'loss': 0.5}
    """
    found: dict[str, float] = {}
    for name, value in record.items():
        nested = value.items() if isinstance(value, dict) else [("", value)]
        for key, number in nested:
            if isinstance(number, int | float) and not isinstance(number, bool):
                found[f"{name}/{key}" if key else name] = float(number)
    found.pop("epoch", None)
    return found
