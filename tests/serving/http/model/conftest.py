"""A symlink that leads to a bundle."""

from pathlib import Path

import pytest

from postclick.serving.http.model.bundle_link import point_link
from serving.http.fake import write_fake


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A symlink to the first of two bundles."""
    write_fake(tmp_path / "one", version="v1")
    write_fake(tmp_path / "two", version="v2", features=["price", "colour"])
    point_link(tmp_path / "current", tmp_path / "one")
    return tmp_path / "current"
