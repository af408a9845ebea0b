"""Delta tables: versions, deletes, mapping of names, partitions, refusals."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from postclick.data.read import chunks
from postclick.data.read.opening import LogSource, open_log
from postclick.data.read.tables import delta as delta_module
from postclick.errors import InputError

deltalake = pytest.importorskip("deltalake", reason="needs postclick[delta]")

LOG = pa.table({"row": list(range(10)), "shop": [f"s{k % 3}" for k in range(10)]})
MAPPED = {
    "delta.columnMapping.mode": "name",
    "delta.minReaderVersion": "2",
    "delta.minWriterVersion": "5",
}


def read(source: LogSource, *columns: str) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def rows(source: LogSource) -> list[int]:
    return read(source, "row")["row"].to_list()


def test_removed_files_stay_removed(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, LOG)
    before = open_log(tmp_path)
    deltalake.write_deltalake(tmp_path, LOG.slice(0, 2), mode="append")
    deltalake.DeltaTable(tmp_path).delete("row = 1")
    assert len(list(tmp_path.glob("*.parquet"))) > 2
    after = open_log(str(tmp_path))
    assert sorted(rows(after)) == [0, 0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert after.state() == open_log(deltalake.DeltaTable(tmp_path)).state() != before.state()
    assert rows(before) == list(range(10)), "an opened table is the version that it was"
    assert rows(open_log(deltalake.DeltaTable(tmp_path, version=0))) == list(range(10))


def test_it_agrees_with_the_tables_own_reader(tmp_path: Path) -> None:
    """Many files, partitions of odd text, other types and column mapping, beside `scan`."""
    table = pa.table(
        {
            "row": list(range(6)),
            "p": ["x y/z", "ü%=1", None, "x y/z", "a", "b"],
            "n": [1, 2, None, 1, 5, 6],
            "d": pa.array([0, 1, None, 0, 9, 9], pa.date32()),
            "device": [{"os": "a"}, None, {"os": "b"}, {"os": None}, None, {"os": "c"}],
            "tags": [["x"], [], None, ["y", "z"], [], ["w"]],
        }
    )
    for name, settings in (("plain", {}), ("mapped", MAPPED)):
        place = tmp_path / name
        deltalake.write_deltalake(
            place, table, partition_by=["p", "n", "d"], configuration=settings
        )
        source = open_log(place)
        own = pl.from_arrow(pa.table(deltalake.DeltaTable(place).scan()))
        assert isinstance(own, pl.DataFrame)
        own = own.with_columns(pl.col("device").struct.field("os").alias("device.os"))
        assert source.columns == ("row", "p", "n", "d", "device.os", "tags")
        found = read(source).sort("row")
        assert found.equals(own.select(source.columns).sort("row"))
        assert read(source, "n", "row").columns == ["n", "row"]
        assert rows(source) == rows(source)


def test_columns_that_came_later_are_missing_before(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, pa.table({"row": pa.array([0, 1], pa.int32())}))
    later = pa.table({"row": pa.array([2], pa.int32()), "shop": ["a"]})
    deltalake.write_deltalake(tmp_path, later, mode="append", schema_mode="merge")
    assert read(open_log(tmp_path)).sort("row")["shop"].to_list() == [None, None, "a"]


def test_files_are_in_the_order_of_their_paths(tmp_path: Path) -> None:
    days = pa.table({"row": [5, 1, 3], "day": ["c", "a", "b"]})
    deltalake.write_deltalake(tmp_path, days, partition_by=["day"])
    assert rows(open_log(tmp_path)) == [1, 3, 5]


def with_deletions(folder: Path, deleted: list[int]) -> None:
    """A table whose rows are deleted by a vector, written after the protocol's text.

    An inline vector: base85 (Z85 alphabet) of the magic number and a 64-bit roaring bitmap, here
    one 32-bit bitmap of one array container.
    """
    settings = {"delta.enableDeletionVectors": "true"}
    deltalake.write_deltalake(folder, LOG, configuration=settings)
    bitmap = struct.pack("<II", 12346, 1) + struct.pack("<HH", 0, len(deleted) - 1)
    bitmap += struct.pack("<I", 16) + struct.pack(f"<{len(deleted)}H", *deleted)
    data = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    size = len(data)
    data += b"\0" * (-size % 4)
    python, z85 = (
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
    )
    text = base64.b85encode(data).translate(bytes.maketrans(python, z85)).decode()
    first = folder / "_delta_log" / f"{0:020}.json"
    add = next(
        json.loads(line)["add"] for line in first.read_text().splitlines() if '"add"' in line
    )
    remove = {"path": add["path"], "dataChange": True, "deletionTimestamp": 1}
    vector = {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": size}
    vector["cardinality"] = len(deleted)
    lines = [{"remove": remove}, {"add": {**add, "deletionVector": vector}}]
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / "_delta_log" / f"{1:020}.json").write_text(text + "\n")


@pytest.mark.parametrize("chunk", [262_144, 3])
def test_deletion_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk)
    with_deletions(tmp_path, [0, 4, 9])
    assert rows(open_log(tmp_path)) == [1, 2, 3, 5, 6, 7, 8]
    own = pa.table(deltalake.DeltaTable(tmp_path).scan())
    assert sorted(own["row"].to_pylist()) == [1, 2, 3, 5, 6, 7, 8]


def test_what_is_not_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_deletions(tmp_path / "vectors", [1])
    monkeypatch.setattr(delta_module, "FEATURES", set())
    with pytest.raises(InputError, match="asks its readers for what is not read here .*deletionV"):
        open_log(tmp_path / "vectors")
    (tmp_path / "empty" / "_delta_log").mkdir(parents=True)
    with pytest.raises(InputError, match="cannot be opened as a Delta table"):
        open_log(tmp_path / "empty")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    deltalake.write_deltalake(tmp_path, LOG)
    next(tmp_path.glob("*.parquet")).unlink()
    with pytest.raises(InputError, match="a file of .* cannot be read to its end"):
        read(open_log(tmp_path))


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deltalake.write_deltalake(tmp_path, LOG)

    def none(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr("postclick.extras.find_spec", none)
    with pytest.raises(InputError, match=r"is a Delta table and needs deltalake: pip install 'pos"):
        open_log(tmp_path)
