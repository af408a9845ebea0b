import threading
import time

import numpy as np
import pytest
import torch

from postclick.system import threads
from postclick.system.compiled import compiled
from postclick.system.threads import parts_of, run_parts


@compiled()
def fill(part, parts, out):  # type: ignore[no-untyped-def]
    for i in range(out.shape[0] * part // parts, out.shape[0] * (part + 1) // parts):
        out[i] += i


@pytest.fixture(params=["torch's own", "Python's"])
def pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where torch has no OpenMP, threads of Python's take its place."""
    if request.param == "Python's":
        monkeypatch.setattr(threads, "torch_openmp", lambda: None)
    elif threads.torch_openmp() is None:
        pytest.skip("this torch has no OpenMP")
    return str(request.param)


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_every_part_is_done_once(pool: str, parts: int) -> None:
    out = np.zeros(1001)
    run_parts(fill, parts, out)
    assert (out == np.arange(1001)).all()


def test_parts_are_done_at_the_same_time(pool: str) -> None:
    both = threading.Barrier(2)
    run_parts(lambda part, parts: both.wait(timeout=20) and None, 2)
    assert not both.broken


def test_a_part_that_comes_late_is_done_by_another(pool: str) -> None:
    done = []

    def work(part: int, parts: int) -> None:
        if part == 0:
            while len(done) < parts - 1:
                time.sleep(0.001)
        done.append(part)

    run_parts(work, 5)
    assert sorted(done) == [0, 1, 2, 3, 4]
    assert done[-1] == 0


@pytest.mark.parametrize("failing", [0, 1])
def test_the_error_of_a_part_is_raised(pool: str, failing: int) -> None:
    ended = []

    def work(part: int, parts: int) -> None:
        if part == failing:
            raise ValueError(f"part {part} of {parts}")
        ended.append(part)

    with pytest.raises(ValueError, match=f"part {failing} of 2"):
        run_parts(work, 2)
    assert ended == [1 - failing]


@pytest.mark.parametrize("own", [1, 2, 3])
def test_parts_go_by_torch_and_by_items(own: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(own)
        assert [parts_of(items, 10) for items in (0, 9, 10, 25, 1000)] == [
            *(1, 1, 1),
            min(own, 2),
            own,
        ]
    finally:
        torch.set_num_threads(before)
