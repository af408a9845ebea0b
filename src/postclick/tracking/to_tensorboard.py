"""TensorBoard: a folder of event files for each run."""

from collections.abc import Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postclick.errors import RunFailedError
from postclick.runs.folder import finished_folder
from postclick.runs.history import HISTORY, History
from postclick.tracking.destination import Destination
from postclick.tracking.tracker import metrics_of

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog
    from postclick.runs.run import Run
    from postclick.runs.settings import RunSettings


class TensorboardTracker:
    """Tracks one run, in a folder called like it; a second run of the name gets a number."""

    name = "tensorboard"

    def __init__(self, place: Destination, run_name: str) -> None:
        self.place, self.run_name = place, run_name
        self.writer: Any = None

    def start(self, settings: "RunSettings", log: "PreparedLog", folder: Path) -> None:
        made: Any = import_module("torch.utils.tensorboard").SummaryWriter
        before = History(folder / HISTORY).records()
        known = self.place.id_in(folder)
        if known is not None:
            # What was written after the last checkpoint comes again.
            self.writer = made(known, purge_step=len(before) + 1)
            return
        events = _free_folder(Path(self.place.target), self.run_name, finished_folder(folder))
        self.place.keep_id(folder, str(events))
        self.writer = made(str(events))
        self.writer.add_text("settings", f"```yaml\n{settings.to_yaml()}```")
        for record in before:  # of a run that was not tracked before
            self.epoch(record)

    def epoch(self, record: dict[str, Any]) -> None:
        for name, value in metrics_of(record).items():
            self.writer.add_scalar(name, value, record["epoch"])
        self.writer.flush()

    def finish(self, run: "Run") -> None:
        self.writer.close()

    def fail(self, error: RunFailedError) -> None:
        if self.writer is not None:
            self.writer.add_text("failed", str(error))
            self.writer.close()


def _free_folder(target: Path, name: str, taken: Path | None = None) -> Path:
    """A new folder called `name`, or with a number; not `taken`, where the run itself will be."""
    name = name.replace("/", "+")
    for number in count(1):
        folder = target / (name if number == 1 else f"{name}-{number}")
        if taken is not None and folder == taken.resolve():
            continue
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def make_tracker(place: Destination, name: str) -> TensorboardTracker:
    return TensorboardTracker(place, name)


def open_group(place: Destination, name: str, folder: Path) -> Destination:
    """A folder for the runs of the group, the same when it is taken up again."""
    events = place.id_in(folder)
    if events is None:
        events = str(_free_folder(Path(place.target), name))
        place.keep_id(folder, events)
    return Destination(place.kind, events, None, place.artefacts)


def close_group(place: Destination, values: dict[str, float], files: Sequence[Path]) -> None:
    """Nothing: what came of it is in files that TensorBoard does not show."""
