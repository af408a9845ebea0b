"""Waits are short while our threads queue for cores; results and threads stay what they were."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from postclick import PreparedLog
from postclick.system import waiting
from postclick.system.threads import torch_openmp
from postclick.system.waiting import seconds_queued, short_waits_when_crowded, sleeping_threads

watched = pytest.mark.skipif(
    torch_openmp() is None or seconds_queued() is None, reason="only with OpenMP on Linux"
)
TASKS = Path("/proc/self/task")


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads were put to sleep; negative when they are taken away."""
    found: list[int] = []

    @contextmanager
    def note(count: int) -> Iterator[None]:
        found.append(count)
        yield
        found.append(-count)

    monkeypatch.setattr(waiting, "sleeping_threads", note)
    monkeypatch.setattr(waiting, "EVERY", 0.01)
    monkeypatch.setattr(waiting, "KEPT", 0.05)
    for name in waiting.USERS_CHOICE:
        monkeypatch.delenv(name, raising=False)
    return found


def queue(monkeypatch: pytest.MonkeyPatch, share: list[float]) -> None:
    """The system says that threads queue for `share[0]` seconds a second."""
    state = [0.0, time.monotonic()]

    def queued() -> float:
        now = time.monotonic()
        state[0] += share[0] * (now - state[1])
        state[1] = now
        return state[0]

    monkeypatch.setattr(waiting, "seconds_queued", queued)


def until(condition: object, found: list[int]) -> None:
    end = time.monotonic() + 20
    while found != condition and time.monotonic() < end:
        time.sleep(0.005)
    assert found == condition


@watched
def test_waits_are_short_for_as_long_as_there_is_a_queue(
    two_threads: None, asleep: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "cores", lambda: 4)
    share = [0.05]
    queue(monkeypatch, share)
    with short_waits_when_crowded():
        time.sleep(0.1)
        assert asleep == []
        share[0] = 0.7
        # The two that torch has and these are one more than the cores.
        until([3], asleep)
        share[0] = 0.0
        until([3, -3], asleep)
        share[0] = 0.7
        until([3, -3, 3], asleep)
    assert asleep == [3, -3, 3, -3]
    assert "queue-watcher" not in {thread.name for thread in threading.enumerate()}


@watched
@pytest.mark.parametrize("name", waiting.USERS_CHOICE)
def test_what_the_user_said_of_waiting_holds(
    two_threads: None, asleep: list[int], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    queue(monkeypatch, [0.9])
    monkeypatch.setenv(name, "1")
    with short_waits_when_crowded():
        time.sleep(0.1)
        assert "queue-watcher" not in {thread.name for thread in threading.enumerate()}
    assert asleep == []


@watched
def test_threads_sleep_and_go() -> None:
    before = len(list(TASKS.iterdir()))
    with sleeping_threads(3):
        # Three, and the one that holds them.
        assert len(list(TASKS.iterdir())) == before + 4
        asleep = time.process_time()
        time.sleep(0.2)
        assert time.process_time() - asleep < 0.1
    end = time.monotonic() + 20
    while len(list(TASKS.iterdir())) > before and time.monotonic() < end:
        time.sleep(0.005)
    assert len(list(TASKS.iterdir())) <= before


PROGRAM = """
import hashlib, os, sys
from pathlib import Path

import torch

from postclick import RunSettings, train
from postclick.training.loop import TrainingLoop

threads = int(sys.argv[3])
log, out = sys.argv[1], Path(sys.argv[2])
seen = set()

step = TrainingLoop._step

def looking(self, *arguments, **options):
    total = step(self, *arguments, **options)
    seen.add((torch.get_num_threads(), len(os.listdir("/proc/self/task"))))
    return total

TrainingLoop._step = looking
before = torch.get_num_threads()
for k in range(2):
    sets = ["epochs=1", f"threads={threads}", "batch_size=2048", "dropout=0.2"]
    train(log, RunSettings.make("mmoe", overrides=sets), out / str(k))
    assert torch.get_num_threads() == before
models = [(out / str(k) / "model.safetensors").read_bytes() for k in range(2)]
digests = {hashlib.sha256(model).hexdigest() for model in models}
print(sorted({number for number, _ in seen}), max(tasks for _, tasks in seen), len(digests))
"""


@pytest.mark.skipif(not TASKS.exists(), reason="only Linux lists threads")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_keeps_to_its_threads(small_log: PreparedLog, tmp_path: Path, threads: int) -> None:
    """In a fresh process, from the first step on: nothing that a run starts sets them back.

    So the first run of a process ends at the same weights as the next.
    """
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(small_log.folder), str(tmp_path), str(threads)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "POLARS_MAX_THREADS": "2"},
    )
    numbers, tasks, digests = done.stdout.rsplit(maxsplit=2)
    assert numbers == f"[{threads}]"
    assert digests == "1"
    assert int(tasks) < 24
