"""Lists of every common row, on disk: written once while parsing, read back by row."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from postclick.datasets.aliccp.fields import Column
from postclick.datasets.aliccp.tokens import Lines
from postclick.errors import InputError

_TYPES: dict[str, type[np.int32] | type[np.float32]] = {"ids": np.int32, "weights": np.float32}


class Spill:
    """Ids and weights of some fields, one flat file each, in a temporary folder of its own.

    The folder gets a fresh name, is never opened by another process and goes away with the
    object, so a broken-off run leaves nothing that could be taken for whole.

    In memory: 8 bytes per row and field, where in the file its list begins.
    """

    def __init__(self, fields: tuple[str, ...], temp: Path | None, max_length: int | None) -> None:
        self._fields = fields
        self._max_length = max_length
        self._temp = temp
        try:
            if temp is not None:
                temp.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix="postclick-aliccp-", dir=temp))
        except OSError as error:
            raise self._error(error) from None
        self.close = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._counts: dict[str, list[NDArray[np.int64]]] = {f: [] for f in fields}
        self._starts: dict[str, NDArray[np.int64]] = {}

    def _error(self, error: OSError) -> InputError:
        return InputError(
            f"temporary files cannot be written: {error}: free some space, or set the option "
            "'temp' to a folder on a larger disk"
        )

    def add(self, lines: Lines) -> None:
        """Append the lists of some common rows."""
        try:
            for field in self._fields:
                at = lines.tokens(field)
                counts = lines.counts(field)
                if self._max_length is not None:
                    first = np.cumsum(counts) - counts
                    place = np.arange(at.size) - np.repeat(first, counts)
                    at = at[place < self._max_length]
                    counts = np.minimum(counts, self._max_length)
                self._counts[field].append(counts)
                for role, values in (("ids", lines.id), ("weights", lines.value)):
                    with self._path(field, role).open("ab") as file:
                        file.write(values[at].tobytes())
        except OSError as error:
            raise self._error(error) from None

    def finish(self) -> None:
        """Call after the last `add`, before the first `read`."""
        for field, parts in self._counts.items():
            counts = np.concatenate(parts) if parts else np.empty(0, np.int64)
            self._starts[field] = np.concatenate(([0], np.cumsum(counts)))
        self._counts.clear()

    def read(self, column: Column, rows: NDArray[np.int64]) -> pl.Series:
        """The lists of some rows, which must ascend, then a null; null also for an empty list."""
        starts = self._starts[column.field]
        counts = starts[rows + 1] - starts[rows]
        parts = []
        # Neighbouring rows are neighbours on disk: one read per run of them.
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        first = np.concatenate(([0], breaks)) if rows.size else breaks
        last = np.concatenate((breaks, [rows.size])) - 1 if rows.size else breaks
        with self._path(column.field, column.role).open("rb", buffering=0) as file:
            for begin, end in zip(
                starts[rows[first]].tolist(), starts[rows[last] + 1].tolist(), strict=True
            ):
                file.seek(4 * begin)
                parts.append(file.read(4 * (end - begin)))
        values: NDArray[Any] = np.frombuffer(b"".join(parts), _TYPES[column.role])
        return list_series(column.name, values, np.append(counts, 0))

    def _path(self, field: str, role: str) -> Path:
        return self.folder / f"{field}.{role}"


def list_series(
    name: str, values: NDArray[np.int32] | NDArray[np.float32], counts: NDArray[np.int64]
) -> pl.Series:
    """A list column from its flat values and the number of them per row; none is null.

    >>> list_series("x", np.array([1, 2, 3], np.int32), np.array([2, 0, 1])).to_list()
    [[1, 2], None, [3]]
    """
    offsets = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    lists = pa.LargeListArray.from_arrays(
        pa.array(offsets), pa.array(values), mask=pa.array(counts == 0)
    )
    return pl.Series(name, lists)
