"""The folder of a run while it is not finished: made once, taken up again after a kill."""

import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import torch

from postclick.data.manifest import FILE_NAME as MANIFEST
from postclick.data.manifest import VOCABULARIES
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods import find_method
from postclick.nn.backbones import find_backbone
from postclick.progress import Reporter
from postclick.registry import package_of, place_of
from postclick.runs.settings import RunSettings
from postclick.spelling import option
from postclick.system.files import TEMPORARY, make_folder, read_json, write_json, write_text

CONFIG, RUN_INFO = "config.yaml", "run.json"
MODEL, CHECKPOINT = "model.safetensors", "checkpoint.safetensors"
# Stages that are done of a method that fits itself.
STAGES = "stages"
EXPLANATION = "explanation.json"
METRICS, PREDICTIONS = "metrics.json", "predictions"
LOG_METRICS = "log_metrics.json"
PACKAGES = ("postclick", "torch", "numpy", "polars", "pyarrow", "safetensors")


def partial_folder(out: Path) -> Path:
    """Where a run is while it is not finished."""
    return out.with_name(out.name + ".partial")


def lock_of(out: Path) -> Path:
    """What is locked while a run is written to `out`."""
    return out.with_name(out.name + ".lock")


def finished_folder(partial: Path) -> Path:
    """Where the run in the folder `partial` will be when it is finished.

    >>> finished_folder(partial_folder(Path("runs/a"))).as_posix()
    'runs/a'
    """
    return partial.with_name(partial.name.removesuffix(".partial"))


def has_progress(folder: Path) -> bool:
    """Whether there is anything that a run could go on from."""
    return (folder / CHECKPOINT).exists() or (folder / STAGES).is_dir()


def remove_progress(folder: Path) -> None:
    """Remove what only an unfinished run is continued from."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
    shutil.rmtree(folder / STAGES, ignore_errors=True)


def open_partial(
    partial: Path, settings: RunSettings, log: PreparedLog, reporter: Reporter
) -> None:
    """Make the folder of an unfinished run, or take up the one that is there.

    Raises:
        InputError: what is there is a run with other settings or data, or no run at all.
    """
    config = settings.to_yaml()
    if (partial / RUN_INFO).exists():
        info = read_json(partial / RUN_INFO)
        same = (partial / CONFIG).read_text(encoding="utf-8") == config
        if not same or info.get("data_fingerprint") != log.fingerprint:
            raise InputError(
                f"{partial} is an unfinished run with other settings or data: remove it to "
                "start anew, or repeat its settings to resume it"
            )
        _remove_half_written(partial)
        reporter.line(f"found the unfinished run {partial}")
        return
    if partial.exists():
        _remove_half_made(partial)
    log.manifest.check_vocabularies(log.folder)
    make_folder(partial)
    write_text(partial / CONFIG, config)
    log.write_manifest(partial)
    _link_tree(log.folder / VOCABULARIES, partial / VOCABULARIES)
    info = {
        "data": str(log.folder.resolve()),
        "data_fingerprint": log.fingerprint,
        "seed": settings.seed,
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "method": _origin(find_method(settings.method)[0]),
        "backbone": _origin(find_backbone(settings.backbone)),
        "threads": settings.training.threads or torch.get_num_threads(),
    }
    write_json(partial / RUN_INFO, info)  # last: it marks the folder as complete


def _origin(found: type) -> dict[str, str | None]:
    """Where a class lives, so that who opens the run knows what to install."""
    place = place_of(found)
    own = place.startswith("postclick.")
    package = f"postclick {version('postclick')}" if own else package_of(place)
    return {"class": place, "package": package}


def _remove_half_written(folder: Path) -> None:
    """Temporary files of a process that was killed while it wrote."""
    for file in folder.glob(TEMPORARY):
        file.unlink()


def _remove_half_made(partial: Path) -> None:
    """Remove a folder whose making was interrupted, but nothing that we did not put there."""
    ours = (CONFIG, MANIFEST, VOCABULARIES)
    if partial.is_dir():
        _remove_half_written(partial)
    if not partial.is_dir() or any(entry.name not in ours for entry in partial.iterdir()):
        raise InputError(
            f"{partial} is in the way, it is no unfinished run: name another {option('out')}"
        )
    shutil.rmtree(partial)


def _link_tree(source: Path, target: Path) -> None:
    """Hard-link a folder's files (they are never changed), or copy where links do not work."""

    def link(a: str, b: str) -> None:
        try:
            os.link(a, b)
        except OSError:
            shutil.copyfile(a, b)

    if source.is_dir():
        shutil.copytree(source, target, copy_function=link)
