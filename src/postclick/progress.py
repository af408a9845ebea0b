"""Progress of long work: bars with rate and time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PLAIN_SECONDS = 10.0


class Reporter(Protocol):
    """Something that is told how far a piece of work has come."""

    def start(self, label: str, total: int | None, unit: str) -> None:
        """A new piece of work begins; `total` steps of `unit`, `None` if unknown."""

    def advance(self, steps: int, note: str = "") -> None:
        """`steps` more are done."""

    def line(self, text: str) -> None:
        """Something worth keeping on screen."""


class Silent:
    """Says nothing."""

    def start(self, label: str, total: int | None, unit: str) -> None:
        return None

    def advance(self, steps: int, note: str = "") -> None:
        return None

    def line(self, text: str) -> None:
        return None


class PlainReporter:
    """Lines on standard error: how far a piece of work is, at most once every few seconds."""

    def __init__(self) -> None:
        self.start("", None, "")

    def start(self, label: str, total: int | None, unit: str) -> None:
        self.label, self.unit, self.total, self.done = label, unit, total, 0
        self.began = self.spoke = time.monotonic()

    def advance(self, steps: int, note: str = "") -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.spoke < PLAIN_SECONDS:
            return
        self.spoke = now
        rate = self.done / max(now - self.began, 1e-9)
        left = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate else ""
        of = f" of {self.total:,}" if self.total else ""
        self.line(
            f"{self.label}: {self.done:,}{of} {self.unit}, {rate:,.0f}/s{left} {note}".rstrip()
        )

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class BarReporter(AbstractContextManager["BarReporter"]):
    """A rich progress bar on a terminal; it vanishes at the end, what `line` said stays."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]} {task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        self._task = self._add("", None, "", visible=False)
        self._began, self._done = time.monotonic(), 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def start(self, label: str, total: int | None, unit: str) -> None:
        self._began, self._done = time.monotonic(), 0
        self._progress.remove_task(self._task)  # a reset would keep an old total
        self._task = self._add(label, total, unit, visible=True)

    def _add(self, label: str, total: int | None, unit: str, *, visible: bool) -> TaskID:
        return self._progress.add_task(
            label, total=total, visible=visible, unit=unit, note="", rate=""
        )

    def advance(self, steps: int, note: str = "") -> None:
        self._done += steps
        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        self._progress.update(self._task, advance=steps, note=note, rate=f"{rate:,.0f}/s")

    def line(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, soft_wrap=True)


def stages(reporter: Reporter) -> Callable[[str, int, int | None], None]:
    """A callback (stage, rows done, rows in all) that tells `reporter` of rows."""
    current, seen = "", 0

    def tell(stage: str, done: int, total: int | None) -> None:
        nonlocal current, seen
        if stage != current:
            current, seen = stage, 0
            reporter.start(stage, total, "rows")
        reporter.advance(done - seen)
        seen = done

    return tell
