"""Workers of a comparison: their failures, their end, and where they may be started."""

import contextlib
import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import postclick
from helpers.runs import FAST
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.comparison.run_jobs import pool_if_needed, run_jobs
from postclick.progress import Silent
from postclick.reporting.compare import compare

METHODS = ["naive", "choruscvr/no_sam"]


@pytest.mark.slow
def test_workers_stop_quietly_when_a_run_fails(
    small_log: PreparedLog, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results"
    before = compare(small_log, "naive", out, seeds=1, overrides=FAST, workers=1, trials=0)
    broken = out / "runs" / "naive" / "seed-1.partial"
    shutil.copytree(before.folder / "runs" / "naive" / "seed-0", broken)
    capfd.readouterr()
    with pytest.raises(InputError, match=r"seed-1\.partial is an unfinished run with other"):
        compare(small_log, METHODS, out, seeds=3, overrides=FAST, workers=2, trials=0)
    assert multiprocessing.active_children() == []
    assert "Traceback" not in capfd.readouterr().err


def test_a_worker_that_dies_is_one_line(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postclick.experiments.comparison.run_jobs._run_in_worker", _die)
    from postclick.experiments.comparison.plan import Plan

    jobs = Plan.make(["naive"], 2, FAST).jobs
    with (
        pytest.raises(InputError, match="a worker process died .*workers=1") as error,
        pool_if_needed(2, len(jobs), Silent()) as pool,
    ):
        list(run_jobs(jobs, small_log.folder, tmp_path, "test", pool, Silent()))
    assert "\n" not in str(error.value)


def _die(*arguments: object) -> None:
    import os

    os._exit(9)


SCRIPT = """
import sys
import postclick
result = postclick.compare(sys.argv[1], "naive", sys.argv[2], seeds=2, workers=2, trials=0,
                           overrides=["epochs=1", "tower=[4]"])
"""


LONG = """
import sys, postclick
if __name__ == "__main__":
    postclick.compare(sys.argv[1], "naive", sys.argv[2], seeds=2, workers=2, trials=0,
                      overrides=["epochs=100000", "patience=null"])
"""


def of_session(session: int) -> set[int]:
    """Processes of a session that have not ended."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            state, _, _, its = path.read_text().rpartition(") ")[2].split()[:4]
            if int(its) == session and state != "Z":
                found.add(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_no_process_outlives_a_comparison_that_is_killed(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    script = tmp_path / "long.py"
    script.write_text(LONG)
    out = tmp_path / "out"
    command = [sys.executable, str(script), str(small_log.folder), str(out)]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as parent:
        wait_for(lambda: len(list(out.glob("runs/naive/*.partial"))) == 2)
        assert len(of_session(parent.pid)) >= 4, "itself, a manager, two workers"
        parent.kill()
        parent.wait()
        wait_for(lambda: not of_session(parent.pid))


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "still waiting"
        time.sleep(0.1)


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told_what_to_do(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    """New processes run the script again; Python refuses, and that must not be a riddle."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(small_log.folder), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "if __name__ == '__main__':" in done.stderr.splitlines()[-1]
    guarded = SCRIPT.replace("result =", "if __name__ == '__main__':\n    result =")
    script.write_text(guarded)
    subprocess.run(
        [sys.executable, str(script), str(small_log.folder), str(tmp_path / "out")], check=True
    )
    assert postclick.Run(tmp_path / "out" / "runs" / "naive" / "seed-1").metrics["test"]
