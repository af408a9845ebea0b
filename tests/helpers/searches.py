"""What the tests of searches and of tracking share."""

from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.progress import Silent
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings

# All but learning rate, dropout and the options are set: runs take a moment.
FAST = (
    "network.tower=[8]",
    "network.bottom=[]",
    "embedding_dim=4",
    "batch_size=2048",
    "epochs=1",
    "weight_decay=0.0001",
    "network_decay=0",
)


class Lines(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)


class Spy:
    """Notes what it is told."""

    name = "spy"

    def __init__(self) -> None:
        self.told: list[str] = []
        self.records: list[dict[str, Any]] = []

    def start(self, settings: RunSettings, log: PreparedLog, folder: Path) -> None:
        assert (folder / "config.yaml").exists()
        self.told.append(f"start {settings.method} {folder.name}")

    def epoch(self, record: dict[str, Any]) -> None:
        self.told.append(f"epoch {record['epoch']}")
        self.records.append(record)

    def finish(self, run: Run) -> None:
        self.told.append(f"finish {run.folder.name}")

    def fail(self, error: RunFailedError) -> None:
        self.told.append(f"fail {type(error).__name__}")
