"""Where runs are tracked: `mlflow`, `mlflow:URI`, `tensorboard`, `tensorboard:DIR`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from postclick.errors import InputError
from postclick.extras import require
from postclick.suggest import meant
from postclick.system.files import read_json, write_json
from postclick.tracking.tracker import Tracker

# In a run's folder: what the run is called in each place where it is tracked.
IDS = "tracking.json"


@dataclass(frozen=True)
class Kind:
    """A way of tracking: the package it needs, the module with its tracker, the default place."""

    package: str
    module: str
    default: str


KINDS = {
    "mlflow": Kind("mlflow", "postclick.tracking.to_mlflow", "mlruns"),
    "tensorboard": Kind("tensorboard", "postclick.tracking.to_tensorboard", "tensorboard"),
}


@dataclass(frozen=True)
class Destination:
    """A place where runs are tracked; it can be sent to another process.

    Attributes:
        kind: a key of `KINDS`.
        target: a folder, absolute, or for MLflow any tracking URI.
        parent: what the runs belong to there, e.g. a comparison's MLflow run.
        artefacts: whether files of a finished run are kept there too.
    """

    kind: str
    target: str
    parent: str | None = None
    artefacts: bool = True

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """Read what `--track` takes.

        Raises:
            InputError: there is no such kind, or its package is not installed.
        """
        name, _, target = text.partition(":")
        if name not in KINDS:
            known = ", ".join(f"{kind}[:{place.default}]" for kind, place in KINDS.items())
            raise InputError(
                f"--track {text!r}: there is no {name!r}{meant(name, KINDS)}; there are {known}"
            )
        kind = KINDS[name]
        require(kind.package, "track", f"tracking with {name}")
        target = target or kind.default
        if target.startswith("file://"):
            target = target.removeprefix("file://")
        return cls(name, target if "://" in target else str(Path(target).resolve()))

    @property
    def key(self) -> str:
        """What an id in `IDS` is kept under: no password, whoever gets the run gets that file."""
        parts = urlsplit(self.target)
        place = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        return f"{self.kind}:{urlunsplit(place) if parts.netloc else self.target}"

    @property
    def _module(self) -> Any:
        return import_module(KINDS[self.kind].module)

    def tracker(self, name: str) -> Tracker:
        """A tracker for the run called `name`."""
        tracker: Tracker = self._module.make_tracker(self, name)
        return tracker

    def open_group(self, name: str, folder: Path) -> "Destination":
        """This place for the runs of a comparison or search, called `name`, in `folder`."""
        opened: Destination = self._module.open_group(self, name, folder)
        return opened

    def close_group(self, values: dict[str, float], files: Sequence[Path]) -> None:
        """What came of the comparison or search that this was opened for."""
        self._module.close_group(self, values, files)

    def id_in(self, folder: Path) -> str | None:
        """What the run in `folder` is called here, if it was tracked before."""
        ids = read_json(folder / IDS) if (folder / IDS).exists() else {}
        found = ids.get(self.key)
        return str(found) if found is not None else None

    def keep_id(self, folder: Path, run: str) -> None:
        """Remember what the run in `folder` is called here."""
        ids = read_json(folder / IDS) if (folder / IDS).exists() else {}
        write_json(folder / IDS, {**ids, self.key: run})


Track = str | Destination | Tracker


def trackers_of(track: Sequence[Track], name: str) -> list[Tracker]:
    """Trackers for the run called `name`; those that are trackers already stay what they are."""
    places = [Destination.parse(t) if isinstance(t, str) else t for t in track]
    return [t.tracker(name) if isinstance(t, Destination) else t for t in places]


def without_artefacts(places: Sequence[Destination]) -> tuple[Destination, ...]:
    """The same places, for runs of which only settings and metrics are kept."""
    return tuple(replace(place, artefacts=False) for place in places)
