"""The symlink, the key's file, and reloading within this process."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postclick.errors import InputError
from postclick.serving.http.app.auth import ApiKey
from postclick.serving.http.model.current_bundle import CurrentBundle
from postclick.serving.http.model.pointer import point, target_of
from postclick.serving.http.server_metrics import ServerMetrics
from serving.http.fake import FakeBundle, write_fake


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A symlink to the first of two bundles."""
    write_fake(tmp_path / "one", version="v1")
    write_fake(tmp_path / "two", version="v2", features=["price", "colour"])
    point(tmp_path / "current", tmp_path / "one")
    return tmp_path / "current"


def test_a_symlink_is_replaced(link: Path) -> None:
    assert target_of(link).folder == link.parent / "one"
    point(link, link.parent / "two")
    assert target_of(link).folder == link.parent / "two"
    assert sorted(path.name for path in link.parent.iterdir()) == ["current", "one", "two"]


def test_only_a_symlink_is_replaced(link: Path) -> None:
    with pytest.raises(InputError, match="no symlink"):
        point(link.parent / "one", link.parent / "two")
    with pytest.raises(InputError, match="cannot be written"):
        point(link, link.parent / "three")
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
from postclick.serving.http.model.pointer import point
Path.{moment} = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL)
point(Path(sys.argv[1]), Path(sys.argv[2]))
"""
    two = link.parent / "two"
    done = subprocess.run([sys.executable, "-c", code, link, two])
    assert done.returncode == -signal.SIGKILL
    assert target_of(link).folder == link.parent / "one"
    point(link, two)
    assert target_of(link).folder == two


def test_a_swap_is_logged_and_counted(link: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    current, metrics = CurrentBundle(link, FakeBundle.open, 1), ServerMetrics(lambda: 0)
    assert not current.moved()
    point(link, link.parent / "two")
    assert current.moved()
    current.reload(metrics)
    assert current.bundle.version == "v2"
    assert not current.moved()
    current.reload(metrics)
    assert [line.split(":")[0] for line in caplog.messages] == ["swapped", "unchanged"]
    assert "new columns: colour" in caplog.messages[0]
    assert b'postclick_bundle_info{method="fake",version="v2"} 1.0' in metrics.text()
    assert b'version="v1"' not in metrics.text()


def test_a_new_bundle_scores_before_it_serves(link: Path) -> None:
    current = CurrentBundle(link, FakeBundle.open, 1)
    point(link, link.parent / "two")
    current.reload(ServerMetrics(lambda: 0))
    assert isinstance(current.bundle, FakeBundle)
    assert current.bundle.calls == [("warm", 0), ("rows", 1), ("rows", 512)]


@pytest.mark.parametrize("damage", ["cut", "gone", "not-a-number", "crash", "unreadable"])
def test_a_damaged_bundle_is_refused(
    link: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    two = link.parent / "two"
    current, metrics = CurrentBundle(link, FakeBundle.open, 1), ServerMetrics(lambda: 0)
    point(link, two)
    if damage == "cut":
        (two / "fake.json").write_text("{")
    elif damage == "gone":
        os.rename(two, link.parent / "three")
    elif damage == "not-a-number":
        (two / "fake.json").write_text('{"version": "v2", "level": NaN}')
    elif damage == "crash":
        (two / "fake.json").write_text('{"nonsense": 1}')
    else:
        (two / "fake.json").unlink()
        (two / "fake.json").mkdir()
    current.reload(metrics)
    assert current.bundle.version == "v1"
    assert b'postclick_bundle_loads_total{result="refused"} 1.0' in metrics.text()
    (line,) = caplog.messages
    assert line.startswith("refused:") and line.endswith("version v1 goes on serving")
    # It is not tried again and again while the path stays as it is.
    assert not current.moved()


def test_the_first_bundle_has_to_be_sound(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "gone"):
        with pytest.raises(InputError):
            CurrentBundle(tmp_path / name, FakeBundle.open, 1)


def test_where_the_key_comes_from(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file-0123\n")
    variable = {"POSTCLICK_API_KEY": "from-the-variable-0123"}
    ApiKey.load(tmp_path / "key", variable).check({"authorization": "Bearer from-the-file-0123"})
    ApiKey.load(None, variable).check({"authorization": "Bearer from-the-variable-0123"})
    assert not ApiKey.load(None, {}).is_set


@pytest.mark.parametrize("text", ["", "short", "two words of a key", "schlüssel-schlüssel"])
def test_a_poor_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(InputError) as caught:
        ApiKey.load(tmp_path / "key", {})
    assert not text or text not in str(caught.value)
    with pytest.raises(InputError, match="POSTCLICK_API_KEY"):
        ApiKey.load(None, {"POSTCLICK_API_KEY": text})
    with pytest.raises(InputError, match="cannot be read"):
        ApiKey.load(tmp_path / "none", {})


def test_a_folder_that_is_still_filled_is_another_target(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "vocabularies").mkdir(parents=True)
    before = target_of(tmp_path / "bundle")
    assert target_of(tmp_path / "bundle") == before
    file = tmp_path / "bundle" / "vocabularies" / "user.parquet"
    file.write_bytes(b"half")
    half = target_of(tmp_path / "bundle")
    file.write_bytes(b"whole now")
    assert len({before, half, target_of(tmp_path / "bundle")}) == 3
