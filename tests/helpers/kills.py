"""A kill within the process, after a checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from postclick.training.loop import TrainingLoop


class Killed(BaseException):
    """Stands for a kill."""


@contextmanager
def killed(
    monkeypatch: pytest.MonkeyPatch, when: Callable[[TrainingLoop, int], bool]
) -> Iterator[None]:
    """What is within has to leave the loop after the checkpoint of which `when` holds.

    `when` gets how many there were; afterwards nothing is killed any more.
    """
    real, saved = TrainingLoop._save, 0

    def save(loop: TrainingLoop) -> None:
        nonlocal saved
        real(loop)
        saved += 1
        if when(loop, saved):
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(TrainingLoop, "_save", save)
        yield
