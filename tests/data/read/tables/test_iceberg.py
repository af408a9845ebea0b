"""Iceberg tables: the current snapshot, deletes, renamed columns, which metadata holds."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from helpers.object_store import BUCKET, ObjectStore
from postclick.data.read.opening import LogSource, open_log
from postclick.errors import InputError

sql = pytest.importorskip("pyiceberg.catalog.sql", reason="needs postclick[iceberg]")

LOG = pa.table(
    {
        "row": list(range(5)),
        "shop": ["a", None, "b", "c", "a"],
        "h": [[1], [], [2]] * 1 + [[3], None],
    }
)


def read(source: LogSource, *columns: str) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def rows(source: LogSource) -> list[int]:
    return read(source, "row")["row"].to_list()


@pytest.fixture
def table(tmp_path: Path) -> Any:
    return made(f"file://{tmp_path}/ice")


def made(warehouse: str, **settings: str) -> Any:
    catalog = sql.SqlCatalog("made", uri="sqlite:///:memory:", warehouse=warehouse, **settings)
    catalog.create_namespace("n")
    return catalog.create_table("n.log", schema=LOG.schema)


def folder_of(table: Any) -> Path:
    return Path(table.location().removeprefix("file://"))


def test_the_current_snapshot(table: Any) -> None:
    assert list(open_log(table).frames(["row"])) == []
    table.append(LOG)
    before = open_log(table)
    assert read(before).equals(pl.from_arrow(LOG))
    table.append(LOG)
    table.delete("row = 1")
    after = open_log(folder_of(table))
    assert rows(after) == [0, 2, 3, 4] * 2
    assert after.state() == open_log(table).state() != before.state()
    assert rows(before) == list(range(5)), "an opened table is the snapshot that it was"
    own = table.scan().to_arrow()
    assert sorted(own["row"].to_pylist()) == sorted(rows(after))


def test_renamed_and_added_columns(table: Any) -> None:
    table.append(LOG)
    with table.update_schema() as update:
        update.rename_column("shop", "store")
    with table.update_schema() as update:
        from pyiceberg.types import LongType

        update.add_column("later", LongType())
    source = open_log(str(folder_of(table)))
    assert source.columns == ("row", "store", "h", "later")
    assert read(source, "later", "store").rows()[0] == (None, "a")
    assert read(source, "store")["store"].to_list() == LOG["shop"].to_pylist()


def test_which_metadata_holds(table: Any) -> None:
    table.append(LOG)
    folder = folder_of(table)
    metadata = folder / "metadata"
    last = Path(table.metadata_location.removeprefix("file://"))
    first = next(metadata.glob("00000-*.metadata.json"))
    assert rows(open_log(last)) == list(range(5))
    assert list(open_log(first).frames(["row"])) == []
    (metadata / "version-hint.text").write_text(first.name)
    assert list(open_log(folder).frames(["row"])) == []
    (metadata / "version-hint.text").unlink()
    shutil.copy(last, last.with_name("00001-other.metadata.json"))
    with pytest.raises(InputError, match="two last versions, 00001-.* name the one that its cat"):
        open_log(folder)
    assert rows(open_log(last)) == list(range(5))


def test_damage_is_one_line(table: Any) -> None:
    table.append(LOG)
    folder = folder_of(table)
    source = open_log(folder)
    shutil.rmtree(folder / "data")
    with pytest.raises(InputError, match="cannot be read to its end"):
        read(source)
    for file in (folder / "metadata").glob("*.metadata.json"):
        file.write_text("{}")
    with pytest.raises(InputError, match="cannot be opened as an Iceberg table"):
        open_log(folder)


def test_in_an_object_store(store: ObjectStore) -> None:
    settings = {"s3.endpoint": store.endpoint}
    table = made(f"s3://{BUCKET}/ice", **settings)
    table.append(LOG)
    assert rows(open_log(f"s3://{BUCKET}/ice/n/log")) == list(range(5))


def test_without_the_library(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postclick.extras.find_spec", lambda name: None)
    with pytest.raises(InputError, match="is an Iceberg table and needs pyiceberg: pip install"):
        open_log(folder_of(table))
