"""Writes a simulated log as a folder, whole or not at all."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from postclick.datasets.simulated.log import SimulatedLog, simulate
from postclick.errors import InputError


class OtherSettings(TypedDict, total=False):
    """The settings of `simulate` that have to be named."""

    ctr: float | None
    cvr: float | None
    dependence: float | None
    test_fraction: float
    users: int | None
    items: int | None
    conversions: int | None
    options: Mapping[str, Any] | None


def write_simulated(
    out_dir: str | Path,
    world: str = "confounded",
    rows: int | None = None,
    seed: int = 0,
    **others: Unpack[OtherSettings],
) -> SimulatedLog:
    """Simulate a log, settings as in `simulate`, and write it as a folder, whole or not at all.

    The folder holds `train.parquet`, `test.parquet`, `schema.yaml` and `world.json` (settings,
    oracle figures and, of a world that says so, the shares of the variance of its logits).

    Raises:
        InputError: a setting is out of range, or `out_dir` is a file, is a folder that is not
            empty, or cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = write_simulated(Path(folder) / "log", rows=2_000)
    ...     sorted(path.name for path in (Path(folder) / "log").iterdir())
    ['schema.yaml', 'test.parquet', 'train.parquet', 'world.json']
    """
    out = Path(out_dir)
    try:
        if out.is_dir() and any(out.iterdir()):
            raise InputError(f"{out} is not empty: name a new folder, or remove it first")
        if out.exists() and not out.is_dir():
            raise InputError(f"{out} is a file: name a new folder")
        log = simulate(world, rows, seed, **others)
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            # One level down: the scratch folder itself can be entered by its owner alone.
            folder = Path(scratch) / "log"
            folder.mkdir()
            _write(folder, log)
            os.replace(folder, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error}") from None
    return log


def _write(folder: Path, log: SimulatedLog) -> None:
    log.train.write_parquet(folder / "train.parquet")
    log.test.write_parquet(folder / "test.parquet")
    (folder / "schema.yaml").write_text(log.schema.to_yaml(), encoding="utf-8")
    world: dict[str, Any] = {"settings": log.settings, "oracle": log.oracle}
    if log.variance is not None:
        world["variance"] = log.variance
    (folder / "world.json").write_text(json.dumps(world, indent=2) + "\n", encoding="utf-8")
