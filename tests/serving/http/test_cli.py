"""`postclick serve` and `deploy`: bad input is one line and code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import run
from postclick import extras
from serving.http.processes import SOURCES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], "workers is 0"),
        (["--threads", "0"], "threads is 0"),
        (["--queue", "-1"], "queue is -1"),
        (["--timeout", "nan"], "time for a request is nan"),
        (["--drain-seconds", "-1"], "time to drain is -1"),
        (["--watch", "0"], "watch is 0"),
        (["--max-body-mb", "0"], "limit on body_bytes is 0"),
        (["--max-body-mb", "inf"], "limit on body_bytes is 0"),
        (["--max-candidates", "0"], "limit on candidates is 0"),
        (["--port", "70000"], "65535"),
        (["--port", "0"], "gone"),
        (["--port", "0", "--api-key-file", "gone.key"], "gone.key"),
        (["--host", "256.0.0.1", "--port", "0"], "256.0.0.1"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, options: list[str], words: str) -> None:
    code = "from postclick.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", str(tmp_path / "gone"), *options],
        cwd=SOURCES,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and words in done.stderr


def test_deploy_wants_a_bundle(tmp_path: Path) -> None:
    done = run("deploy", tmp_path / "gone", tmp_path / "current")
    assert done.code == 2 and done.err.count("\n") == 1
    assert not (tmp_path / "current").is_symlink()


def test_a_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    done = run("serve", tmp_path)
    assert done.code == 2
    assert done.err == "postclick: serving needs fastapi: pip install 'postclick[serve]'\n"
