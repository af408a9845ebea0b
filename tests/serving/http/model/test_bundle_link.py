"""The symlink that says which bundle is served."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postclick.errors import InputError
from postclick.serving.http.model.bundle_link import point_link, target_of


def test_a_symlink_is_replaced(link: Path) -> None:
    assert target_of(link).folder == link.parent / "one"
    point_link(link, link.parent / "two")
    assert target_of(link).folder == link.parent / "two"
    assert sorted(path.name for path in link.parent.iterdir()) == ["current", "one", "two"]


def test_only_a_symlink_is_replaced(link: Path) -> None:
    with pytest.raises(InputError, match="no symlink"):
        point_link(link.parent / "one", link.parent / "two")
    with pytest.raises(InputError, match="cannot be written"):
        point_link(link, link.parent / "three")
    assert target_of(link).folder == link.parent / "one"


def test_a_path_that_leads_nowhere(link: Path) -> None:
    (link.parent / "loop").symlink_to("loop")
    (link.parent / "file").write_text("")
    for name, words in (("gone", "No such file"), ("loop", "loop"), ("file", "no folder")):
        with pytest.raises(InputError, match=words):
            target_of(link.parent / name)


@pytest.mark.parametrize("moment", ["symlink_to", "replace"])
def test_killed_while_pointing_the_old_bundle_stays(link: Path, moment: str) -> None:
    """kill -9 right before the new symlink is written, and right before it takes the place."""
    code = f"""
import os, signal, sys
from pathlib import Path
from postclick.serving.http.model.bundle_link import point_link
Path.{moment} = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL)
point_link(Path(sys.argv[1]), Path(sys.argv[2]))
"""
    two = link.parent / "two"
    done = subprocess.run([sys.executable, "-c", code, link, two])
    assert done.returncode == -signal.SIGKILL
    assert target_of(link).folder == link.parent / "one"
    point_link(link, two)
    assert target_of(link).folder == two


def test_a_folder_that_is_still_filled_is_another_target(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "vocabularies").mkdir(parents=True)
    before = target_of(tmp_path / "bundle")
    assert target_of(tmp_path / "bundle") == before
    file = tmp_path / "bundle" / "vocabularies" / "user.parquet"
    file.write_bytes(b"half")
    half = target_of(tmp_path / "bundle")
    file.write_bytes(b"whole now")
    assert len({before, half, target_of(tmp_path / "bundle")}) == 3
