"""The log that a process works on: opened for its first run, kept for the next."""

from pathlib import Path

from postclick.data.prepared import PreparedLog

_OPEN: dict[str, PreparedLog] = {}


def open_log_once(data: Path) -> PreparedLog:
    """The log in `data`: opened once by a process, its rows stay in memory for the next run."""
    key = str(data)
    if key not in _OPEN:
        _OPEN.clear()  # one log at a time
        _OPEN[key] = PreparedLog(data)
    return _OPEN[key]
