"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with hillstrom, coat and samples; skips the test where there is none."""
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("POSTCLICK_DATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}: set POSTCLICK_DATA to one")
    return folder
