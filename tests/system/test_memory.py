"""Memory is kept between steps within the context, and given back after it."""

import os
from pathlib import Path

import pytest
import torch

from postclick.system import memory
from postclick.system.memory import memory_kept

pytestmark = pytest.mark.skipif(memory._glibc() is None, reason="needs glibc")
MEGABYTES = 256


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def make_and_drop() -> None:
    torch.ones(MEGABYTES << 18)


def test_freed_memory_stays_within_and_goes_after() -> None:
    make_and_drop()
    before = resident()
    make_and_drop()
    assert resident() < before + MEGABYTES / 4, "by default it is given back"
    with memory_kept():
        make_and_drop()
        assert resident() > before + MEGABYTES / 2
    assert resident() < before + MEGABYTES / 4


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    before = resident()
    with memory_kept():
        make_and_drop()
        assert resident() < before + MEGABYTES / 4
