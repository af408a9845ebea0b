"""MLflow: a run of postclick is a run there, with settings, metrics by epoch, and its files.

A folder as target is `<folder>/mlflow.db` (SQLite) with files in `<folder>/artifacts`: MLflow 3
refuses new stores made of plain files. Only the client is used, so what the process may track
otherwise is left alone.
"""

import logging
import os
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from postclick.errors import RunFailedError, RunStoppedError
from postclick.runs.history import HISTORY, History
from postclick.tracking.destination import Destination
from postclick.tracking.tracker import metrics_of

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog
    from postclick.runs.run import Run
    from postclick.runs.settings import RunSettings

EXPERIMENT = "postclick"
# MLflow reports its use to its makers, and waits for a lost server for minutes: neither here,
# unless the environment says otherwise.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
NOISY = ("mlflow.store.db.utils", "alembic")


class MlflowTracker:
    """Tracks one run."""

    name = "mlflow"

    def __init__(self, place: Destination, run_name: str) -> None:
        self.place, self.run_name = place, run_name
        self.run_id = ""

    def start(self, settings: "RunSettings", log: "PreparedLog", folder: Path) -> None:
        self.client, experiment = connect(self.place.target)
        known = self.place.id_in(folder)
        if known is not None:
            self.client.update_run(known, status="RUNNING")
            self.run_id = known
            return
        tags = {"postclick.method": settings.method, "postclick.data": log.fingerprint}
        if self.place.parent:
            tags["mlflow.parentRunId"] = self.place.parent
        run = self.client.create_run(experiment, run_name=self.run_name, tags=tags)
        self.run_id = run.info.run_id
        self.place.keep_id(folder, self.run_id)
        param: Any = import_module("mlflow.entities").Param
        params = [param(name, str(value)) for name, value in flat(settings).items()]
        self.client.log_batch(self.run_id, params=params)
        for record in History(folder / HISTORY).records():  # of a run that was not tracked before
            self.epoch(record)

    def epoch(self, record: dict[str, Any]) -> None:
        log_values(self.client, self.run_id, metrics_of(record), step=record["epoch"])

    def finish(self, run: "Run") -> None:
        if self.place.artefacts:
            self.client.log_artifacts(self.run_id, str(run.folder))
        self.client.set_terminated(self.run_id, "FINISHED")

    def fail(self, error: RunFailedError) -> None:
        if self.run_id:
            self.client.set_tag(self.run_id, "postclick.reason", str(error))
            stopped = isinstance(error, RunStoppedError)
            self.client.set_terminated(self.run_id, "KILLED" if stopped else "FAILED")


def connect(target: str) -> tuple[Any, str]:
    """A client of the store at `target`, and the id of the experiment called `postclick`."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    files: str | None = None
    uri = target
    if "://" not in target:
        folder = Path(target)
        folder.mkdir(parents=True, exist_ok=True)
        uri, files = f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri()
    elif target.startswith("sqlite:///"):
        database = Path(target.removeprefix("sqlite:///")).resolve()
        files = (database.parent / "artifacts").as_uri()
    client = import_module("mlflow").MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return client, found.experiment_id
    try:
        return client, client.create_experiment(EXPERIMENT, artifact_location=files)
    except import_module("mlflow.exceptions").MlflowException:
        found = client.get_experiment_by_name(EXPERIMENT)  # another process made it just now
        if found is None:
            raise
        return client, found.experiment_id


def log_values(client: Any, run_id: str, values: dict[str, float], step: int) -> None:
    """Add metrics of one step."""
    metric: Any = import_module("mlflow.entities").Metric
    now = int(time.time() * 1000)
    metrics = [metric(name, value, now, step) for name, value in values.items()]
    client.log_batch(run_id, metrics=metrics)


def flat(settings: "RunSettings") -> dict[str, Any]:
    """Settings in one level, defaults written out: `training.lr`, `options.clip`, ..."""
    sections = {
        "options": settings.method_config.model_dump(mode="json"),
        "network": settings.network.model_dump(mode="json"),
        "training": settings.training.model_dump(mode="json"),
    }
    named = {
        f"{s}.{name}": value for s, values in sections.items() for name, value in values.items()
    }
    return {"method": settings.method, "seed": settings.seed, **named}


def make_tracker(place: Destination, name: str) -> MlflowTracker:
    return MlflowTracker(place, name)


def open_group(place: Destination, name: str, folder: Path) -> Destination:
    """Make the parent run, or take up the one that `folder` had before."""
    client, experiment = connect(place.target)
    parent = place.id_in(folder)
    if parent is None:
        parent = client.create_run(experiment, run_name=name).info.run_id
        place.keep_id(folder, parent)
    else:
        client.update_run(parent, status="RUNNING")
    return Destination(place.kind, place.target, parent, place.artefacts)


def close_group(place: Destination, values: dict[str, float], files: Sequence[Path]) -> None:
    """Numbers and files of the parent run; it is then finished."""
    client, _ = connect(place.target)
    assert place.parent is not None
    if values:
        log_values(client, place.parent, values, step=0)
    for file in files:
        client.log_artifact(place.parent, str(file))
    client.set_terminated(place.parent, "FINISHED")
