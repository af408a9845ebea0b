"""Progress: sparse lines without a terminal, a bar on one, and stages of unknown length."""

import io

import pytest
from rich.console import Console

from postclick import progress
from postclick.progress import BarReporter, PlainReporter, Silent, stages


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_plain_lines_come_at_most_every_few_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = PlainReporter()
    reporter.start("epoch 1", 4_000, "rows")
    for _ in range(30):
        clock.now += 1
        reporter.advance(100, "loss 0.5")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "epoch 1: 1,000 of 4,000 rows, 100/s, 30 s left loss 0.5",
        "epoch 1: 2,000 of 4,000 rows, 100/s, 20 s left loss 0.5",
        "epoch 1: 3,000 of 4,000 rows, 100/s, 10 s left loss 0.5",
    ]


def test_plain_lines_without_a_total_and_with_a_new_start(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = PlainReporter()
    reporter.start("read", None, "rows")
    clock.now += 20
    reporter.advance(50)
    reporter.start("write", 80, "rows")
    clock.now += 9
    reporter.advance(80)
    reporter.line("kept")
    assert capsys.readouterr().err.splitlines() == ["read: 50 rows, 2/s", "kept"]


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Silent()
    reporter.start("a", 1, "rows")
    reporter.advance(1)
    reporter.line("b")
    assert capsys.readouterr() == ("", "")


def test_a_bar_shows_counts_and_rate_and_keeps_lines(clock: Clock) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    with BarReporter(console) as bars:
        bars.start("epoch 1", 4_000, "rows")
        clock.now += 2
        bars.advance(1_000, "loss 0.25")
        bars._progress.refresh()
        bars.line("epoch 1: loss 0.25")
    shown = screen.getvalue()
    for text in ("epoch 1", "1000/4000", "rows 500/s", "loss 0.25"):
        assert text in shown
    last = shown.rsplit("epoch 1: loss 0.25", 1)[1]
    assert "1000/4000" not in last.rsplit("\x1b[2K", 1)[1], "the bar has to vanish"


def test_a_bar_forgets_the_total_of_the_work_before(clock: Clock) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with BarReporter(console) as bars:
        bars.start("write", 10, "rows")
        bars.advance(10)
        bars.start("read", None, "rows")
        bars.advance(3)
        (task,) = bars._progress.tasks
        assert (task.description, task.total, task.completed) == ("read", None, 3)


def test_stages_turn_running_totals_into_steps() -> None:
    class Recorder(Silent):
        def __init__(self) -> None:
            self.seen: list[tuple[object, ...]] = []

        def start(self, label: str, total: int | None, unit: str) -> None:
            self.seen.append((label, total, unit))

        def advance(self, steps: int, note: str = "") -> None:
            self.seen.append((steps,))

    recorder = Recorder()
    tell = stages(recorder)
    for stage, done, total in (("read", 5, None), ("read", 9, None), ("write", 4, 9)):
        tell(stage, done, total)
    assert recorder.seen == [("read", None, "rows"), (5,), (4,), ("write", 9, "rows"), (4,)]
