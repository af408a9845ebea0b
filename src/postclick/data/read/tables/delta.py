"""Delta tables as logs: what the table is through deltalake, its files through pyarrow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.fs as pa_fs

from postclick.data.read import chunks
from postclick.data.read.places.listing import Place, place_of
from postclick.data.read.places.store import endpoint_of, is_url, told_by
from postclick.data.read.tables.arrow_source import ArrowSource
from postclick.errors import InputError
from postclick.extras import require

# What a table may ask of its reader that is done here, or by deltalake as it reads the table's log.
FEATURES = {
    *("columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview"),
    *("v2Checkpoint", "vacuumProtocolCheck", "variantType", "variantType-preview"),
}
PHYSICAL_NAME = b"delta.columnMapping.physicalName"
MAPPING = "delta.columnMapping.mode"
Bools = npt.NDArray[np.bool_]


class DeltaSource(ArrowSource):
    """The rows of one version of a Delta table, deleted ones left out.

    Its data files are read in the order of their paths, each in the order of its rows.
    Column mapping by name and deletion vectors are honoured (the Delta transaction log protocol).
    """

    def __init__(self, table: Any, name: str = "") -> None:
        """`table` is a `deltalake.DeltaTable`; the version that it has now is what is read."""
        super().__init__(name or str(table.table_uri), pa.schema(table.schema().to_arrow()))
        _require_readable(table, self.name)
        self._state = ("delta", str(table.metadata().id), str(table.version()))
        import pyarrow.dataset as pads  # a third of a second, for Delta tables alone

        self._format = pads.ParquetFileFormat()
        self._files = sorted(_files(table), key=lambda file: file[0].parts)
        self._kept = _kept_rows(table, self.name)
        self._physical = {field.name: _physical(field) for field in self.columns_schema}

    def state(self) -> tuple[str, ...]:
        return self._state

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        schema = self.columns_schema
        for place, partition in self._files:
            stored = [name for name in columns if name not in partition]
            try:
                for batch in self._batches(place, [self._physical[name] for name in stored]):
                    arrays = dict(zip(stored, batch.columns, strict=False))
                    parts = [
                        _constant(partition[name], batch.num_rows, schema.field(name).type)
                        if name in partition
                        else arrays[name].view(schema.field(name).type)
                        for name in columns
                    ]
                    yield pa.table(parts, names=columns)
            except (OSError, pa.ArrowException) as error:
                raise InputError(
                    f"{place}, a file of {self.name}, cannot be read to its end: {error}"
                ) from None

    def _batches(self, place: Place, fields: list[pa.Field]) -> Iterator[pa.RecordBatch]:
        """The rows of a file that are not deleted; a column that it lacks is missing."""
        kept = self._kept.get(_key(str(place)))
        if isinstance(place, Path):
            filesystem, path = pa_fs.LocalFileSystem(), str(place)
        else:
            filesystem, path = place.store.filesystem, place.path
        fragment = self._format.make_fragment(path, filesystem=filesystem)
        first = 0
        for batch in fragment.to_batches(
            schema=pa.schema(fields),
            columns=[field.name for field in fields],
            batch_size=chunks.CHUNK_ROWS,
        ):
            last = first + batch.num_rows
            if kept is not None:
                mask = np.ones(batch.num_rows, dtype=np.bool_)
                told = kept[first:last]  # may end before the file, whose other rows are kept
                mask[: len(told)] = told
                batch = batch.filter(pa.array(mask))
            first = last
            yield batch


def open_delta(place: Place) -> DeltaSource:
    """The table of a folder with `_delta_log/`, in its last version.

    Raises:
        InputError: deltalake is missing, or the table cannot be opened.
    """
    require("deltalake", "delta", f"{place} is a Delta table and")
    import deltalake
    from deltalake.exceptions import DeltaError

    options: dict[str, str] = {}
    location = str(place.resolve()) if isinstance(place, Path) else place.address
    endpoint = endpoint_of(urlsplit(location).scheme)
    if endpoint is not None:
        options = {"AWS_ENDPOINT_URL": endpoint}
        if endpoint.startswith("http://"):
            options["AWS_ALLOW_HTTP"] = "true"
    try:
        table = deltalake.DeltaTable(location, storage_options=options or None)
    except (DeltaError, OSError, ValueError) as error:
        raise InputError(f"{place} cannot be opened as a Delta table: {told_by(error)}") from None
    return DeltaSource(table, str(place))


def _require_readable(table: Any, name: str) -> None:
    protocol = table.protocol()
    unknown = set(protocol.reader_features or ()) - FEATURES
    mode = table.metadata().configuration.get(MAPPING, "none")
    if protocol.min_reader_version > 3 or unknown or mode not in ("none", "name"):
        asks = ", ".join(sorted(unknown)) or f"column mapping by {mode}"
        raise InputError(
            f"{name} asks its readers for what is not read here ({asks}): "
            "write its rows as Parquet, or into a plain table"
        )


def _files(table: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The data files, each with the partition columns that its rows have."""
    root = place_of(str(table.table_uri))
    actions = pa.table(table.get_add_actions())
    partitions = (
        actions["partition"].to_pylist()
        if "partition" in actions.column_names
        else [{}] * actions.num_rows
    )
    for text, partition in zip(actions["path"].to_pylist(), partitions, strict=True):
        path = unquote(text)
        whole = is_url(path) or path.startswith("/")
        yield (place_of(path) if whole else root / path), partition or {}


def _kept_rows(table: Any, name: str) -> dict[str, Bools]:
    """For each file of which rows are deleted, which of them are kept."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    found = pa.table(table.deletion_vectors().read_all())
    kept = {
        _key(unquote(path)): np.array(vector, dtype=np.bool_)
        for path, vector in zip(*(found.column(k).to_pylist() for k in range(2)), strict=True)
    }
    strange = set(kept) - {_key(str(place)) for place, _ in _files(table)}
    if strange:
        raise InputError(
            f"{name}: deleted rows are listed for {min(strange)}, which is no file of it: "
            "write its rows as Parquet"
        )
    return kept


def _key(path: str) -> str:
    """How one file is written in both places that name it."""
    return path.removeprefix("file://")


def _physical(field: pa.Field) -> pa.Field:
    """The field as it is called in the data files, and within it what it holds."""
    name = (field.metadata or {}).get(PHYSICAL_NAME)
    kind = field.type
    if pa.types.is_struct(kind):
        kind = pa.struct([_physical(inner) for inner in kind])
    elif pa.types.is_large_list(kind):
        kind = pa.large_list(_physical(kind.value_field))
    elif pa.types.is_list(kind):
        kind = pa.list_(_physical(kind.value_field))
    return pa.field(name.decode() if name else field.name, kind)


def _constant(value: Any, rows: int, kind: pa.DataType) -> pa.Array:
    if value is None:
        return pa.nulls(rows, kind)
    return pa.repeat(pa.scalar(value, kind), rows)
