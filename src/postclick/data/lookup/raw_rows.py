"""`RawRows`: raw columns of some rows, from polars or from Arrow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Int64s = npt.NDArray[np.int64]
_NO_COLUMNS = pl.DataFrame()


@dataclass(frozen=True, eq=False)
class RawRows:
    """Raw columns, integers of Arrow as one matrix: what is done once for each column of the rows
    of a request takes longer to begin than to do.

    Attributes:
        frame: the columns that are not in the matrix.
        integers: names of the matrix' columns.
        matrix: int64 [n, integers], without gaps.

    >>> batch = pa.RecordBatch.from_pydict({"item": [7, 8], "shop": ["a", None]})
    >>> rows = RawRows.of_batch(batch, integers=["item"])
    >>> rows.height, rows.names, rows.column("item").to_list()
    (2, ('shop', 'item'), [7, 8])
    """

    frame: pl.DataFrame
    integers: tuple[str, ...] = ()
    matrix: Int64s = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch, integers: Sequence[str]) -> "RawRows":
        """Columns of a batch whose types polars has and whose fields carry no metadata.

        Args:
            integers: those of a signed type, or an unsigned one that int64 can hold.
        """
        if not integers:
            return cls(_frame(batch))
        all_of_them = len(integers) == batch.num_columns
        try:
            tensor = (batch if all_of_them else batch.select(integers)).to_tensor()
        except pa.ArrowTypeError:  # there are gaps
            return cls(_frame(batch))
        matrix = tensor.to_numpy().astype(np.int64, copy=False)
        if all_of_them:
            return cls(_NO_COLUMNS, tuple(integers), matrix)
        chosen = set(integers)
        rest = [name for name in batch.schema.names if name not in chosen]
        return cls(_frame(batch.select(rest)), tuple(integers), matrix)

    @cached_property
    def place(self) -> dict[str, int]:
        """The column of the matrix that each of `integers` is."""
        return {name: number for number, name in enumerate(self.integers)}

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.frame.columns, *self.integers)

    @property
    def height(self) -> int:
        return len(self.matrix) if self.integers else self.frame.height

    @property
    def nbytes(self) -> int:
        return int(self.frame.estimated_size()) + self.matrix.nbytes

    def column(self, name: str) -> pl.Series:
        """A column, which has to be there."""
        if name in self.place:
            return pl.Series(name, self.matrix[:, self.place[name]])
        return self.frame.get_column(name)

    def whole(self) -> pl.DataFrame:
        """All columns."""
        return self.some(self.names) if self.integers else self.frame

    def some(self, names: Sequence[str]) -> pl.DataFrame:
        """Some columns, which have to be there."""
        return pl.DataFrame([self.column(name) for name in names])


def _frame(batch: pa.RecordBatch) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(batch))
