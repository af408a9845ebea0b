"""Opening raw logs: one file, several, or a folder of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from postclick.data.read.file_source import CsvSource, ParquetSource
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.errors import InputError

__all__ = ["CsvSource", "FrameSource", "LogSource", "ManyFiles", "ParquetSource", "open_log"]

CSV_SUFFIXES = (".csv", ".csv.gz", ".csv.zst", ".csv.bz2", ".tsv", ".tsv.gz", ".tsv.zst")
PARQUET_SUFFIXES = (".parquet", ".pq")


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
    def files(self) -> tuple[Path, ...]:
        return tuple(file for log in self._logs for file in log.files)

    def state(self) -> tuple[str, ...] | None:
        states = [log.state() for log in self._logs]
        known = [state for state in states if state is not None]
        return sum(known, ()) if len(known) == len(states) else None


def open_log(*paths: str | Path) -> LogSource:
    """Open a log: a CSV or Parquet file, several of them, or a folder of them.

    Files of a folder are taken in the order of their names, hidden ones left out. Raises
    `InputError` for a path that does not exist or a folder without logs.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise InputError("no log given: name a CSV or Parquet file, or a folder of them")
    sources: list[LogSource] = []
    for file in files:
        parquet = file.name.lower().endswith(PARQUET_SUFFIXES)
        sources.append(ParquetSource(file) if parquet else CsvSource(file))
    return sources[0] if len(sources) == 1 else ManyFiles(sources)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [
            p
            for p in sorted(path.rglob("*"))
            if p.name.lower().endswith(CSV_SUFFIXES + PARQUET_SUFFIXES)
            and not any(part.startswith((".", "_")) for part in p.relative_to(path).parts)
        ]
        if not found:
            raise InputError(f"folder {path} holds no CSV or Parquet file")
        return found
    if not path.exists():
        raise InputError(f"log {path} does not exist: check the path")
    return [path]
