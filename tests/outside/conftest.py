"""A package of somebody else's, installed beside postclick, and a log for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

PACKAGE = Path(__file__).parent / "package"
SMALL = ["--set", "epochs=1", "--set", "batch_size=512", "--set", "tower=[8,4,4]"]
Command = Callable[..., subprocess.CompletedProcess[str]]


def install(site: Path, *, registered: bool) -> Path:
    """Copy the package to `site`, as pip would, with or without its entry points."""
    shutil.copytree(PACKAGE / "clickshop", site / "clickshop")
    info = site / "clickshop-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clickshop\nVersion: 0.3\n")
    (info / "top_level.txt").write_text("clickshop\n")
    if registered:
        shutil.copyfile(PACKAGE / "entry_points.txt", info / "entry_points.txt")
    return site


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("registered"), registered=True)


@pytest.fixture(scope="session")
def unregistered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("unregistered"), registered=False)


@pytest.fixture(scope="session")
def postclick_with() -> Command:
    """`postclick ARGUMENTS` in a process of its own, with a folder of packages on its path."""

    def run(site: Path | None, *arguments: object) -> subprocess.CompletedProcess[str]:
        paths = [*([str(site)] if site else []), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [sys.executable, "-m", "postclick", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )

    return run


@pytest.fixture(scope="session")
def shop_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, rows = np.random.default_rng(0), 6_000
    click = rng.random(rows) < 0.4
    frame = pl.DataFrame(
        {
            "user": rng.integers(0, 200, rows),
            "item": rng.integers(0, 50, rows),
            "hour": rng.integers(0, 24, rows),
            "price": rng.lognormal(size=rows),
            "clicked": click.astype(int),
            "bought": (click & (rng.random(rows) < 0.3)).astype(int),
        }
    )
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    frame.write_csv(path)
    return path


@pytest.fixture(scope="session")
def shop_log(
    shop_csv: Path,
    registered: Path,
    postclick_with: Command,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Prepared by the package's own data set, found by its entry point."""
    out = tmp_path_factory.mktemp("prepared") / "data"
    done = postclick_with(
        registered, "prepare", "--dataset", "shop", "--source", shop_csv, "--out", out
    )
    assert done.returncode == 0, done.stderr
    return out
