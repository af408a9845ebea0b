"""Opening raw logs: files, folders, globs and URLs of them, tables, and what is in memory."""

from collections.abc import Iterator, Sequence
from os.path import isfile  # false where a name is too long
from pathlib import Path
from typing import TypeAlias

import polars as pl

from postclick.data.read.files.formats import LOG_SUFFIXES, open_file
from postclick.data.read.files.parquet_source import ParquetSource
from postclick.data.read.files.record_fields import with_record_fields
from postclick.data.read.files.text.csv_source import CsvSource
from postclick.data.read.files.text.decimals import decimal_of
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.data.read.places.listing import (
    METADATA_END,
    InsideTables,
    Place,
    files_in,
    found_at,
    table_at,
)
from postclick.data.read.places.partitions import (
    PartitionedFile,
    partition_of,
    require_same_partitions,
)
from postclick.data.read.tables.delta import open_delta
from postclick.data.read.tables.duckdb_source import DuckDbFile, is_duckdb, split_table
from postclick.data.read.tables.iceberg import open_iceberg
from postclick.data.read.tables.in_memory import ArrowStream, as_source
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

__all__ = [
    "CsvSource",
    "FrameSource",
    "LogLike",
    "LogSource",
    "ManyFiles",
    "ParquetSource",
    "open_log",
]

# A log, or several that are read one after the other. `ArrowStream` stands for polars, pandas and
# Arrow tables, DuckDB relations, and whatever else has the Arrow PyCapsule interface.
OneLog: TypeAlias = LogSource | str | Path | pl.LazyFrame | ArrowStream
LogLike: TypeAlias = OneLog | Sequence[OneLog]


class ManyFiles(LogSource):
    """Several files read one after the other as one log; all must have the same columns."""

    def __init__(self, logs: Sequence[LogSource]) -> None:
        self._logs = tuple(logs)
        self.name = f"{logs[0].name} and {len(logs) - 1} more"
        self.heeds = tuple(dict.fromkeys(key for log in logs for key in log.heeds))
        require_same_partitions(self._logs)
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


def open_log(*logs: LogLike, read: ReadSettings | None = None) -> LogSource:
    """Open a log: a file, several of them, a folder or glob of them, a table, or a frame.

    Args:
        logs: paths and URLs (`s3://`, `gs://`, `abfss://`, `hdfs://`, and those of fsspec) of
            files, folders, globs, Delta and Iceberg tables and DuckDB files; polars and pandas
            frames, Arrow tables, DuckDB relations and what has `__arrow_c_stream__`. Several are
            one log, read one after the other. Files of a folder are taken in the order of their
            paths, those that begin with `_` or `.` left out; folders named `column=value` give a
            column.
        read: how text files are written; what it leaves open is told from their first lines.
            Formats are told by the files' first bytes.

    Raises:
        InputError: a path does not exist, a folder has no logs, or an object is no table.

    >>> open_log(pl.DataFrame({"click": [0, 1]})).columns
    ('click',)
    """
    sources = [source for log in logs for source in _sources(log, read)]
    if not sources:
        raise InputError("no log given: name a file of rows, or a folder of them")
    return sources[0] if len(sources) == 1 else ManyFiles(sources)


def _sources(log: LogLike, read: ReadSettings | None) -> Iterator[LogSource]:
    if isinstance(log, str | Path):
        yield from map(with_record_fields, _at(log, read))
    elif isinstance(log, list | tuple):
        for part in log:
            yield from _sources(part, read)
    else:
        yield with_record_fields(as_source(log))


def _at(name: str | Path, read: ReadSettings | None) -> Iterator[LogSource]:
    """What a path, a URL or a glob names."""
    file, table = split_table(str(name))
    if table is not None and isfile(file):
        yield DuckDbFile(Path(file), table)
        return
    inside = InsideTables()
    for place in found_at(name):
        kind = table_at(place) if place.is_dir() else None
        if kind == "Delta":
            yield open_delta(place)
        elif kind == "Iceberg" or place.name.endswith(METADATA_END):
            yield open_iceberg(place)
        elif place.is_dir():
            files = files_in(place, _is_log)
            for one in files:
                inside.refuse(one)
            yield from (_partitioned(one, read) for one in files)
        else:
            _refuse_pipe(place)
            inside.refuse(place)
            yield _partitioned(place, read)


def _refuse_pipe(place: Place) -> None:
    if isinstance(place, Path) and not place.is_file():
        raise InputError(
            f"{place} is a pipe or a device, and a log is read more than once: write it to a file"
        )


def _is_log(name: str) -> bool:
    return name.lower().endswith(LOG_SUFFIXES)


def _partitioned(file: Place, read: ReadSettings | None) -> LogSource:
    """A file, with the columns of the folders that it is named with."""
    source = _open_file(file, read)
    partition = partition_of(file.parts[:-1], file)
    return PartitionedFile(source, partition) if partition else source


def _open_file(file: Place, read: ReadSettings | None) -> LogSource:
    if isinstance(file, Path) and is_duckdb(file):
        return DuckDbFile(file)
    return open_file(file, read)
