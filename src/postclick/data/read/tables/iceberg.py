"""Iceberg tables as logs, through pyiceberg."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from postclick.data.read.places.listing import METADATA_END, METADATA_FOLDER, Place
from postclick.data.read.places.store import endpoint_of, told_by
from postclick.data.read.tables.arrow_source import ArrowSource
from postclick.errors import InputError
from postclick.extras import require

HINT = "version-hint.text"


class IcebergSource(ArrowSource):
    """The rows of an Iceberg table's current snapshot, deleted ones left out.

    Its data files are read in the order of their paths, each in the order of its rows.
    """

    def __init__(self, table: Any, name: str = "") -> None:
        self._table = table
        self._metadata, self._schema = table.metadata, table.schema()
        snapshot = table.current_snapshot()
        self._snapshot = snapshot.snapshot_id if snapshot is not None else None
        super().__init__(name or str(table.location()), table.schema().as_arrow())

    def _tables(self, columns: list[str]) -> Iterator[pa.Table]:
        from pyiceberg.exceptions import ValidationError
        from pyiceberg.io.pyarrow import ArrowScan

        if self._snapshot is None:
            return
        scan = self._table.scan(snapshot_id=self._snapshot)
        # The columns as they are called now, not as they were when the snapshot was made.
        wanted = self._schema.select(*columns)
        reader = ArrowScan(self._metadata, self._table.io, wanted, scan.row_filter)
        try:
            tasks = sorted(scan.plan_files(), key=lambda task: str(task.file.file_path))
            for task in tasks:
                for batch in reader.to_record_batches([task]):
                    yield pa.Table.from_batches([batch])
        except (OSError, ValueError, NotImplementedError, ValidationError, pa.ArrowException) as e:
            raise InputError(f"{self.name} cannot be read to its end: {e}") from None

    def state(self) -> tuple[str, ...]:
        return ("iceberg", str(self._table.metadata.table_uuid), str(self._snapshot))


def open_iceberg(place: Place) -> IcebergSource:
    """The table of a folder with `metadata/`, or of one metadata file.

    Raises:
        InputError: pyiceberg is missing, or the table cannot be opened.
    """
    require("pyiceberg", "iceberg", f"{place} is an Iceberg table and")
    from pyiceberg.exceptions import ValidationError
    from pyiceberg.table import StaticTable

    metadata = place if place.name.endswith(METADATA_END) else latest_metadata(place)
    location = str(metadata.resolve()) if isinstance(metadata, Path) else metadata.address
    try:
        table = StaticTable.from_metadata(location, _properties(location))
    except (OSError, ValueError, ValidationError, ImportError) as error:
        raise InputError(
            f"{place} cannot be opened as an Iceberg table: {told_by(error)}"
        ) from None
    return IcebergSource(table, str(place))


def latest_metadata(folder: Place) -> Place:
    """The metadata file of the last version: the one the hint names, or that of the highest number.

    Raises:
        InputError: two files have that number, so that only a catalog knows which one holds.
    """
    place = folder / METADATA_FOLDER
    listed = place.iterdir() if isinstance(place, Path) else place.children()
    files = {child.name: child for child in listed}
    if HINT in files:
        hint = files[HINT].read_bytes().decode().strip()
        for name in (hint, f"v{hint}{METADATA_END}", f"{hint}{METADATA_END}"):
            if name in files:
                return files[name]
    numbers: dict[str, int] = {}
    for name in files:
        if name.endswith(METADATA_END) and (found := re.match(r"v?(\d+)", name)):
            numbers[name] = int(found[1])
    if not numbers:
        raise InputError(f"{place} has no file whose name tells a version: name a metadata file")
    last = sorted(name for name, number in numbers.items() if number == max(numbers.values()))
    if len(last) > 1:
        raise InputError(
            f"{folder} has two last versions, {last[0]} and {last[1]}: name the one that its "
            f"catalog points to, as '{place / last[0]}'"
        )
    return files[last[0]]


def _properties(location: str) -> dict[str, str]:
    """Settings that pyiceberg takes, where pyarrow's own do not reach it."""
    endpoint = endpoint_of(urlsplit(location).scheme)
    return {"s3.endpoint": endpoint} if endpoint else {}
