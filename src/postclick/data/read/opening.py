"""Opening raw logs: one file, several, or a folder of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from postclick.data.read.csv_source import CsvSource
from postclick.data.read.decimals import decimal_of
from postclick.data.read.formats import LOG_SUFFIXES, open_file
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.data.read.parquet_source import ParquetSource
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

__all__ = ["CsvSource", "FrameSource", "LogSource", "ManyFiles", "ParquetSource", "open_log"]


class ManyFiles(LogSource):
    """Several files read one after the other as one log; all must have the same columns."""

    def __init__(self, logs: Sequence[LogSource]) -> None:
        self._logs = tuple(logs)
        self.name = f"{logs[0].name} and {len(logs) - 1} more"
        for log in self._logs[1:]:
            odd = set(log.columns) ^ set(self._logs[0].columns)
            if odd:
                raise InputError(
                    f"{log.name} and {self._logs[0].name} differ in column {sorted(odd)[0]!r}: "
                    "files of one log need the same columns"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        return self._logs[0].columns

    def frames(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        self.require(columns)
        for log in self._logs:
            yield from log.frames(columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for all files that are read alike."""
        alike: dict[str, list[LogSource]] = {}
        for log in self._logs:
            alike.setdefault(log.read_as, []).append(log)
        return tuple(
            f"{logs[0].name} is read {how}"
            if len(logs) == 1
            else f"{logs[0].name} and {len(logs) - 1} more are read {how}"
            for how, logs in alike.items()
            if how
        )

    @property
    def decimal(self) -> str | None:
        return decimal_of(self._logs)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(file for log in self._logs for file in log.files)

    def state(self) -> tuple[str, ...] | None:
        states = [log.state() for log in self._logs]
        known = [state for state in states if state is not None]
        return sum(known, ()) if len(known) == len(states) else None


def open_log(*paths: str | Path, read: ReadSettings | None = None) -> LogSource:
    """Open a log: a file, several of them, or a folder of them.

    CSV and its kin, JSON lines, Parquet, Arrow IPC (Feather), Avro and ORC are told apart by their
    first bytes, text also compressed. Files of a folder are taken in the order of their names,
    hidden ones left out.

    Args:
        read: how text files are written; what it leaves open is told from their first lines.

    Raises:
        InputError: a path does not exist, a folder holds no log, or a file cannot be read.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise InputError("no log given: name a file of rows, or a folder of them")
    sources: list[LogSource] = [open_file(file, read) for file in files]
    return sources[0] if len(sources) == 1 else ManyFiles(sources)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        present = [
            p
            for p in sorted(path.rglob("*"))
            if p.is_file()
            and not any(part.startswith((".", "_")) for part in p.relative_to(path).parts)
        ]
        found = [p for p in present if p.name.lower().endswith(LOG_SUFFIXES)]
        if not found:
            more = f": name its files themselves, such as {present[0]}" if present else ""
            raise InputError(f"folder {path} holds no CSV or Parquet file nor another log{more}")
        return found
    if not path.exists():
        raise InputError(f"log {path} does not exist: check the path")
    return [path]
