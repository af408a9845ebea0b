"""A folder that is there already, and what a failed or killed `prepare` leaves."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write import prepare as prepare_module
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


def test_the_same_request_is_answered_from_disk(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    make_log().write_parquet(tmp_path / "log.parquet")
    splits = LogSplits(schema, open_log(tmp_path / "log.parquet"))
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is not in the way
    first = prepare(splits, out)
    made = (out / "manifest.json").stat().st_mtime_ns
    stages: list[str] = []
    again = prepare(splits, out, progress=lambda stage, done, total: stages.append(stage))
    assert again.fingerprint == first.fingerprint
    assert stages == []
    assert (out / "manifest.json").stat().st_mtime_ns == made
    with pytest.raises(InputError, match="another request: choose another folder"):
        prepare(splits, out, seed=1)
    make_log(2999).write_parquet(tmp_path / "log.parquet")
    with pytest.raises(InputError, match="another request"):
        prepare(LogSplits(schema, open_log(tmp_path / "log.parquet")), out)


def test_other_things_in_the_way(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        prepare(splits, tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        prepare(splits, tmp_path / "full")
    assert (tmp_path / "full" / "thing").read_text() == "mine"


def test_a_log_that_cannot_tell_its_state_is_never_assumed_unchanged(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    class Odd(FrameSource):
        def state(self) -> None:  # type: ignore[override]
            return None

    splits = LogSplits(schema, Odd(make_log()))
    prepare(splits, tmp_path / "out")
    with pytest.raises(InputError, match="another request"):
        prepare(splits, tmp_path / "out")


def test_progress(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    told: list[tuple[str, int, int | None]] = []
    splits = LogSplits(schema, FrameSource(make_log()), FrameSource(make_log(500, seed=1)))
    prepare(splits, tmp_path / "out", progress=lambda *step: told.append(step), shard_rows=1000)
    assert told[:2] == [("read", 3000, None), ("read", 3500, None)]
    writes = [step for step in told if step[0] == "write"]
    assert writes[-1] == ("write", 3500, 3500)
    assert [done for _, done, _ in writes] == sorted(done for _, done, _ in writes)


@pytest.mark.parametrize("stage", ["read", "write"])
def test_an_exception_leaves_nothing(
    tmp_path: Path, make_log: Any, schema: LogSchema, stage: str
) -> None:
    def stop(now: str, done: int, total: int | None) -> None:
        if now == stage:
            raise RuntimeError("stopped")

    splits = LogSplits(schema, FrameSource(make_log()))
    with pytest.raises(RuntimeError, match="stopped"):
        prepare(splits, tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert prepare(splits, tmp_path / "out").split("train").rows > 0


KILLED = """
import os, signal, sys
from postclick.data.write.prepare import prepare
from postclick.data.schema import LogSchema
from postclick.data.read.opening import open_log
from postclick.data.splits import LogSplits

def stop(stage, done, total):
    if stage == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)

splits = LogSplits(LogSchema.load(sys.argv[1]), open_log(sys.argv[2]))
prepare(splits, sys.argv[3], progress=stop)
"""


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_killed_run_leaves_no_log_and_the_next_one_cleans_up(
    tmp_path: Path, make_log: Any, schema: LogSchema, stage: str
) -> None:
    (tmp_path / "schema.yaml").write_text(schema.to_yaml())
    make_log().write_parquet(tmp_path / "log.parquet")
    names = [str(tmp_path / n) for n in ("schema.yaml", "log.parquet", "out")]
    root = Path(prepare_module.__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, *names, stage],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    left = [p for p in tmp_path.iterdir() if ".tmp-" in p.name]
    assert len(left) == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is not a prepared log"):
        PreparedLog(left[0])
    running = tmp_path / f".out.tmp-{socket.gethostname()}-{os.getppid()}"
    running.mkdir()  # of a process that lives: not to be touched
    log = prepare(LogSplits(schema, open_log(tmp_path / "log.parquet")), tmp_path / "out")
    assert not left[0].exists()
    assert running.exists()
    assert log.split("train").rows > 0
