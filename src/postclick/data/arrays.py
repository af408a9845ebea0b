"""Prepared rows in memory: contiguous arrays, from which batches are gathered."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from postclick.data import manifest as m
from postclick.data.batch import Bag, Batch
from postclick.data.encode.pooling import pooling_weights
from postclick.errors import InputError

_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True)
class BagArrays:
    """Ids of one multi-valued feature: row i has values[offsets[i]:offsets[i + 1]]."""

    values: Tensor
    offsets: Tensor
    weights: Tensor

    def take(self, rows: Tensor) -> Bag:
        """Gather the bags of `rows` without a loop over rows."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        ends = lengths.cumsum(0)
        offsets = ends - lengths
        total = int(ends[-1]) if len(rows) else 0
        within = torch.arange(total) - torch.repeat_interleave(offsets, lengths)
        positions = torch.repeat_interleave(starts, lengths) + within
        return Bag(self.values[positions].long(), offsets, self.weights[positions])

    def select(self, rows: Tensor) -> "BagArrays":
        """The bags of `rows` as arrays of their own."""
        values, offsets, weights = self.take(rows)
        ends = torch.cat([offsets, offsets.new_tensor([len(values)])])
        return BagArrays(values.int(), ends, weights)


@dataclass(frozen=True)
class RowArrays:
    """Some prepared rows as contiguous arrays.

    Attributes:
        ids: int32 [n, fields] global embedding rows.
        numeric: float32 [n, numerics and elements of the vectors], the numerics first.
        bags: one entry for each multi-valued feature.
        click, conversion: float32 [n].
        truth: truth columns by their prepared name, float32 [n].
        group: int64 [n], a hash of each row's group, 0 without one; None if the schema has no
            `group`.
        weight: float32 [n], how many impressions each row stands for; None if the schema has no
            `weight`.
        exposure: int32 [n], ids of the exposure in its own table; None if the schema has no
            `exposure`.
        unit: what a batch's weights are divided by, see `Batch`.
    """

    ids: Tensor
    numeric: Tensor
    bags: tuple[BagArrays, ...]
    click: Tensor
    conversion: Tensor
    truth: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    group: npt.NDArray[np.int64] | None = None
    weight: Tensor | None = None
    exposure: Tensor | None = None
    unit: float = 1.0

    def __len__(self) -> int:
        return self.click.shape[0]

    def take(self, rows: Tensor) -> Batch:
        """The batch of these row numbers (int64 [k]), in their order."""
        return Batch(
            self.ids.index_select(0, rows).long(),
            self.numeric.index_select(0, rows),
            tuple(bag.take(rows) for bag in self.bags),
            self.click.index_select(0, rows),
            self.conversion.index_select(0, rows),
            None if self.weight is None else self.weight.index_select(0, rows) / self.unit,
            None if self.exposure is None else self.exposure.index_select(0, rows).long(),
        )

    def select(self, rows: Tensor) -> "RowArrays":
        """These row numbers (int64 [k]) as arrays of their own."""
        numbers = rows.numpy()
        return RowArrays(
            self.ids.index_select(0, rows),
            self.numeric.index_select(0, rows),
            tuple(bag.select(rows) for bag in self.bags),
            self.click.index_select(0, rows),
            self.conversion.index_select(0, rows),
            {name: values[numbers] for name, values in self.truth.items()},
            None if self.group is None else self.group[numbers],
            None if self.weight is None else self.weight.index_select(0, rows),
            None if self.exposure is None else self.exposure.index_select(0, rows),
            self.unit,
        )


def field_offsets(manifest: m.Manifest) -> list[int]:
    """First embedding row of each id column and then of each bag column, in one table."""
    sizes = [c.size for c in manifest.ids] + [c.size for c in manifest.bags]
    return [0, *np.cumsum(sizes).tolist()]


def read_rows(folder: Path, manifest: m.Manifest, files: list[str]) -> RowArrays:
    """Read shards into memory, one after the other.

    Raises:
        InputError: a shard is missing or damaged.
    """
    tables = [read_shard(folder / file) for file in files]
    table = pa.concat_tables(tables) if tables else None
    if table is None:
        raise InputError(f"{folder}: a split without shards: prepare the log again")
    offsets = field_offsets(manifest)
    rows = table.num_rows
    ids = np.empty((rows, len(manifest.ids)), dtype=np.int32)
    for k, column in enumerate(manifest.ids):
        np.add(_numpy(table, column.name, np.int32), offsets[k], out=ids[:, k])
    width = len(manifest.numerics) + sum(vector.size for vector in manifest.vectors)
    numeric = np.empty((rows, width), dtype=np.float32)
    for k, number in enumerate(manifest.numerics):
        numeric[:, k] = _numpy(table, number.name, np.float32)
    place = len(manifest.numerics)
    for vector in manifest.vectors:
        _read_vector(table, vector, numeric[:, place : place + vector.size])
        place += vector.size
    first_bag = len(manifest.ids)
    bags = tuple(
        _read_bag(table, bag, offsets[first_bag + k]) for k, bag in enumerate(manifest.bags)
    )
    truth: dict[str, npt.NDArray[np.float32]] = {
        name: _numpy(table, name, np.float32)
        for name in m.TRUTH_COLUMNS
        if name in table.column_names
    }
    click = torch.from_numpy(_numpy(table, m.CLICK, np.float32))
    conversion = torch.from_numpy(_numpy(table, m.CONVERSION, np.float32))
    group = _numpy(table, m.GROUP, np.int64) if manifest.log_schema.group else None
    features = (torch.from_numpy(ids), torch.from_numpy(numeric), bags)
    exposure = None
    if manifest.exposure is not None:
        exposure = torch.from_numpy(_numpy(table, manifest.exposure.name, np.int32))
    rows_read = RowArrays(*features, click, conversion, truth, group, exposure=exposure)
    if manifest.log_schema.weight is None:
        return rows_read
    weight = torch.from_numpy(_numpy(table, m.WEIGHT, np.float32))
    return replace(rows_read, weight=weight, unit=manifest.split("train").mean_weight)


def read_shard(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A shard, or some columns of it; `InputError` if it is missing or damaged."""
    try:
        # Not pq.read_table: it loads pyarrow.dataset, which takes a third of a second.
        with pq.ParquetFile(path) as file:
            missing = set(columns or ()).difference(file.schema_arrow.names)
            if missing:
                raise pa.ArrowInvalid(f"no column {min(missing)!r}")
            return file.read(columns)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"shard {path} is missing or damaged ({error}): run 'postclick prepare' again"
        ) from None


def _numpy(table: pa.Table, name: str, dtype: type[_T]) -> npt.NDArray[_T]:
    values = table.column(name).to_numpy()
    return np.array(values, dtype=dtype)  # a copy: torch wants writable memory


def _read_vector(table: pa.Table, vector: m.VectorColumn, out: npt.NDArray[np.float32]) -> None:
    """Copy a column of lists of one length to [n, size]."""
    row = 0
    for lists in table.column(vector.name).chunks:
        values = lists.flatten().to_numpy()
        out[row : row + len(lists)] = values.reshape(-1, vector.size)
        row += len(lists)


def _read_bag(table: pa.Table, bag: m.BagColumn, offset: int) -> BagArrays:
    lists = table.column(bag.name).combine_chunks()
    starts = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.to_numpy()[starts[0] : starts[-1]].astype(np.int32) + np.int32(offset)
    starts -= starts[0]
    lengths = np.diff(starts)
    if bag.weighted:
        column = table.column(bag.name + m.WEIGHTS_SUFFIX).combine_chunks()
        first = column.offsets.to_numpy()
        weights = column.values.to_numpy()[first[0] : first[-1]].astype(np.float32)
    else:
        weights = np.ones(len(values), dtype=np.float32)
    weights = pooling_weights(weights, lengths, bag.pooling)
    return BagArrays(torch.from_numpy(values), torch.from_numpy(starts), torch.from_numpy(weights))
