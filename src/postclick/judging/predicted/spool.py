"""Arrays of rows kept until all rows have been seen: in memory while they are few, else on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Beyond so many bytes rows go to files, so that memory does not grow with the log.
MEMORY_BYTES = 256 << 20
PARTS = 64
# A part with more rows than this is parted again before it is read, so that a piece is small
# however long the log is; one group's rows stay together, how many they be.
PIECE_ROWS = 1 << 20
LEVELS = 3
Columns = dict[str, NDArray[Any]]


class Spool:
    """Rows as columns, put away in pieces and read again, those of a group together.

    >>> import numpy as np
    >>> with Spool() as spool:
    ...     spool.add({"x": np.array([1.0, 2.0])}, None)
    ...     [piece["x"].tolist() for piece in spool]
    [[1.0, 2.0]]
    """

    def __init__(
        self,
        memory_bytes: int = MEMORY_BYTES,
        piece_rows: int = PIECE_ROWS,
        parts: int = PARTS,
        *,
        parted: tuple[int, ...] = (),
    ) -> None:
        """`parted` holds into how many parts the rows were cut before, by the same groups."""
        self._limit, self._held, self._grouped = memory_bytes, 0, False
        self._piece_rows, self._parts, self._parted = piece_rows, parts, parted
        self._rows = np.zeros(parts, np.int64)
        self._pieces: dict[int, list[Columns]] = {}
        self._folder: TemporaryDirectory[str] | None = None
        self._writers: dict[int, Any] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers.values():
            writer.close()
        self._pieces = {}
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, columns: Mapping[str, NDArray[Any]], group: NDArray[np.int64] | None) -> None:
        """Put rows away; those with one number in `group` come back in one piece, 0 is none.

        The numbers are among the columns of a piece, as `group`.
        """
        if group is None:
            self._add(0, dict(columns))
            return
        self._grouped = True
        columns = {**columns, "group": group}
        part = self._part_of(group)
        order = np.argsort(part, kind="stable")
        ends = np.cumsum(np.bincount(part, minlength=self._parts))
        for number, rows in enumerate(np.split(order, ends[:-1])):
            if rows.size:
                self._add(number, {name: column[rows] for name, column in columns.items()})

    def __iter__(self) -> Iterator[Columns]:
        """Without groups the pieces as they came; with groups all rows of some groups at a time."""
        for writer in self._writers.values():
            writer.close()
        for number in sorted({*self._pieces, *self._writers}):
            pieces = self._stored(number)
            times = int(self._rows[number] // self._piece_rows)
            if self._grouped and times and len(self._parted) < LEVELS:
                parts, parted = min(2 * times, PARTS), (*self._parted, self._parts)
                with Spool(self._limit // 4, self._piece_rows, parts, parted=parted) as finer:
                    for piece in pieces:
                        finer.add(piece, piece["group"])
                    yield from finer
            elif self._grouped:
                whole = list(pieces)
                yield {name: np.concatenate([one[name] for one in whole]) for name in whole[0]}
            else:
                yield from pieces

    def _part_of(self, group: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The part of each row, by what of its number has not parted the rows before."""
        part = group.view(np.uint64) // np.uint64(math.prod(self._parted)) % np.uint64(self._parts)
        alone = np.flatnonzero(group == 0)
        part[alone] = alone % self._parts
        return part.astype(np.uint8)

    def _add(self, number: int, columns: Columns) -> None:
        self._rows[number] += next(iter(columns.values())).size
        self._pieces.setdefault(number, []).append(columns)
        self._held += sum(column.nbytes for column in columns.values())
        if self._held > self._limit:
            self._write()

    def _write(self) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="postclick-")
        for number, pieces in self._pieces.items():
            for columns in pieces:
                batch = pa.RecordBatch.from_arrays(
                    [pa.array(column) for column in columns.values()], names=list(columns)
                )
                if number not in self._writers:
                    file = str(Path(self._folder.name) / f"{number}.arrow")
                    self._writers[number] = pa.ipc.new_file(file, batch.schema)
                self._writers[number].write_batch(batch)
            pieces.clear()
        self._held = 0

    def _stored(self, number: int) -> Iterator[Columns]:
        if number in self._writers and self._folder is not None:
            with pa.memory_map(str(Path(self._folder.name) / f"{number}.arrow")) as file:
                reader = pa.ipc.open_file(file)
                for k in range(reader.num_record_batches):
                    batch = reader.get_batch(k)
                    yield {
                        name: batch.column(name).to_numpy(zero_copy_only=False)
                        for name in batch.schema.names
                    }
        yield from self._pieces.get(number, [])
