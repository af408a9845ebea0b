"""What will make a run slow is said before it begins."""

import pytest

from postclick.progress import Silent
from postclick.training import speed_warnings


@pytest.mark.parametrize(
    ("threads", "kept", "said"),
    [
        (3, True, "warning: threads=3 on 2 cores"),
        (2, True, None),
        (None, True, None),
        (None, False, "compiling the optimizer, once"),
        (None, None, "warning: compiling the optimizer, some ten seconds in every process"),
    ],
)
def test_what_makes_a_run_slow_is_told(
    monkeypatch: pytest.MonkeyPatch, threads: int | None, kept: bool | None, said: str | None
) -> None:
    class Lines(Silent):
        def line(self, text: str) -> None:
            lines.append(text)

    lines: list[str] = []
    monkeypatch.setattr(speed_warnings, "cores", lambda: 2)
    monkeypatch.setattr(speed_warnings, "is_kept", lambda function: kept)
    speed_warnings.warn_of_speed(threads, Lines())
    assert len(lines) == (said is not None)
    assert said is None or lines[0].startswith(said)
