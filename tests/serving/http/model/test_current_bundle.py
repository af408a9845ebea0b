"""Reloading within this process: what serves, and what is refused."""

import logging
import os
from pathlib import Path

import pytest

from postclick.errors import InputError
from postclick.serving.http.model.bundle_link import point_link
from postclick.serving.http.model.current_bundle import CurrentBundle
from postclick.serving.http.server_metrics import ServerMetrics
from serving.http.fake import FakeBundle


def test_a_swap_is_logged_and_counted(link: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    current, metrics = CurrentBundle(link, FakeBundle.open, 1), ServerMetrics(lambda: 0)
    assert not current.moved()
    point_link(link, link.parent / "two")
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
    point_link(link, link.parent / "two")
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
    point_link(link, two)
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
