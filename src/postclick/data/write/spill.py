"""Coded rows on disk, in the order they came, until they are shuffled."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

# Spilled rows are encoded and scattered in portions of about this size.
PORTION_BYTES = 64 << 20
_OPTIONS = pa.ipc.IpcWriteOptions()


class Spill:
    """Frames of one split on disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     spill = Spill(Path(folder) / "rows")
    ...     spill.add(pl.DataFrame({"x": [1, 2]})); spill.add(pl.DataFrame({"x": [3]}))
    ...     spill.close()
    ...     [frame["x"].to_list() for frame in spill.frames()], spill.rows
    ([[1, 2], [3]], 3)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.size = 0  # bytes
        self._writer: pa.RecordBatchStreamWriter | None = None

    def add(self, frame: pl.DataFrame) -> None:
        if frame.height == 0:
            return
        table = frame.to_arrow()
        if self._writer is None:
            self._writer = pa.ipc.new_stream(str(self.path), table.schema, options=_OPTIONS)
        self._writer.write_table(table)
        self.rows += frame.height
        self.size += table.nbytes

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def frames(self) -> Iterator[pl.DataFrame]:
        """What was added, frame by frame; nothing if no rows were."""
        if self.rows:
            with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    frame = pl.from_arrow(pa.Table.from_batches([batch]))
                    assert isinstance(frame, pl.DataFrame)
                    yield frame

    def portions(self) -> Iterator[pl.DataFrame]:
        """The same rows in frames of about `PORTION_BYTES`."""
        waiting: list[pl.DataFrame] = []
        size = 0
        for frame in self.frames():
            waiting.append(frame)
            size += int(frame.estimated_size())
            if size >= PORTION_BYTES:
                yield pl.concat(waiting)
                waiting, size = [], 0
        if waiting:
            yield pl.concat(waiting)
