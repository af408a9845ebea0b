"""Fixtures for all tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# Tests run side by side (pytest-xdist): one thread each, or they wait for each other's cores.
# Set before torch is imported, and inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says nothing on a machine that others use as well.
settings.register_profile("postclick", deadline=None)
settings.load_profile("postclick")

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog
    from postclick.datasets.simulated import SimulatedLog


def pytest_collection_finish() -> None:
    """Training collects garbage before it starts: let it not look through all test modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with hillstrom, coat and samples; skips the test where there is none."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("POSTCLICK_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}: set POSTCLICK_DATA to one")
    return folder


@pytest.fixture(scope="session")
def small_raw() -> "SimulatedLog":
    """8,000 simulated impressions with many clicks and conversions, truth known."""
    from postclick import simulate

    return simulate("confounded", rows=8_000, seed=0, ctr=0.25, cvr=0.25, users=300, items=80)


@pytest.fixture(scope="session")
def small_log(small_raw: "SimulatedLog", tmp_path_factory: pytest.TempPathFactory) -> "PreparedLog":
    """`small_raw` prepared, in shards of 1,500 rows.

    Made once by each process of pytest-xdist: it takes a quarter of a second, less than passing
    it on between them would be worth.
    """
    from postclick import prepare
    from postclick.data.read.log_source import FrameSource
    from postclick.data.splits import LogSplits

    train, test = FrameSource(small_raw.train), FrameSource(small_raw.test)
    out = tmp_path_factory.mktemp("small") / "data"
    return prepare(LogSplits(small_raw.schema, train, test), out, shard_rows=1_500)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; of a module, for it runs an event loop that other tests do not expect."""
    from helpers.browser import chromium

    with chromium() as running:
        yield running
