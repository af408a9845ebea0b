"""DuckDB relations and files: order, projection, types, which table, refusals."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from postclick.data.read import chunks
from postclick.data.read.opening import LogSource, open_log
from postclick.data.read.values.canonical_text import to_text
from postclick.errors import InputError

duckdb = pytest.importorskip("duckdb", reason="needs postclick[duckdb]")


def read(source: LogSource, *columns: str) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def made(path: Path, *statements: str) -> Path:
    connection = duckdb.connect(path)
    for statement in statements:
        connection.sql(statement)
    connection.close()
    return path


def test_a_relation_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 1000)
    connection = duckdb.connect()
    source = open_log(connection.sql('select i, -i as "a.b" from range(9000) t(i) order by i desc'))
    assert source.columns == ("i", "a.b")
    assert read(source)["i"].to_list() == list(range(9000))[::-1]
    assert read(source, "a.b", "i").columns == ["a.b", "i"]
    assert [frame.height for frame in source.frames(["i"])] == [1000] * 9
    assert source.state() == source.state()
    frames = source.frames(["i"])
    next(frames)
    del frames  # a reading that ends early leaves the connection free
    assert connection.sql("select 1").fetchall() == [(1,)]


def test_types() -> None:
    relation = duckdb.connect().sql(
        "select 7::hugeint as h, 1.50::decimal(10, 2) as d, 'e'::enum('e', 'f') as e, "
        "uuid '00000000-0000-0000-0000-000000000001' as u, 'x'::blob as b, "
        "{'os': 'ios', 'at': {'x': 5}} as device, [1, 2] as l, sum(3) as s"
    )
    source = open_log(relation)
    assert source.columns == ("h", "d", "e", "u", "b", "device.os", "device.at.x", "l", "s")
    found = read(source)
    texts = [to_text(found[name]).item() for name in source.columns if name != "l"]
    uuid = "00000000-0000-0000-0000-000000000001"
    assert texts == ["7", "1.5", "e", uuid, "x", "ios", "5", "3"]
    assert found["l"].to_list() == [[1, 2]]


def test_a_file_with_one_table(tmp_path: Path) -> None:
    path = made(tmp_path / "log.duckdb", "create table log as select i from range(5) t(i)")
    for name in (path, f"{path}::log"):
        source = open_log(name)
        assert source.name == f"{path}::log" and source.files == (path,)
        assert read(source)["i"].to_list() == list(range(5))
    assert source.state() == open_log(path).state()


def test_which_table(tmp_path: Path) -> None:
    create = "create table a as select 1 i", "create schema s", 'create table s."b c" as select 2 i'
    path = made(tmp_path / "log.db", *create)
    with pytest.raises(InputError, match=r"has the tables a, s.b c: name one as '.*log.db::TABLE'"):
        open_log(path)
    assert read(open_log(f"{path}::s.b c")).rows() == [(2,)]
    with pytest.raises(InputError, match="has no table 'z'; it has a, s.b c"):
        open_log(f"{path}::z")
    with pytest.raises(InputError, match="has the tables none"):
        open_log(made(tmp_path / "none.duckdb"))


def test_a_change_is_seen(tmp_path: Path) -> None:
    path = made(tmp_path / "log.duckdb", "create table log as select i from range(5) t(i)")
    source = open_log(path)
    before = source.state()
    other = made(tmp_path / "other.duckdb", "create table log as select i from range(6) t(i)")
    path.unlink()
    other.rename(path)
    assert open_log(path).state() != before
    with pytest.raises(InputError, match="changed while it was read"):
        read(source)


def test_other_files(tmp_path: Path) -> None:
    sqlite = sqlite3.connect(tmp_path / "sqlite.db")
    sqlite.execute("create table log (i)")
    sqlite.commit()
    sqlite.close()
    with pytest.raises(InputError, match="is an SQLite database, which is not read"):
        open_log(tmp_path / "sqlite.db")
    (tmp_path / "text.duckdb").write_text("x" * 99)
    with pytest.raises(InputError, match="cannot be opened as a DuckDB file"):
        open_log(tmp_path / "text.duckdb")
    path = made(tmp_path / "open.duckdb", "create table log as select 1 i")
    writer = duckdb.connect(path)
    with pytest.raises(InputError, match="cannot be opened as a DuckDB file"):
        open_log(path)
    writer.close()


def test_a_relation_that_fails() -> None:
    connection = duckdb.connect()
    source = open_log(
        connection.sql("select case when i = 3 then error('no') else i end i from range(5) t(i)")
    )
    with pytest.raises(InputError, match="relation cannot be read to its end"):
        read(source)


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(tmp_path / "log.duckdb", "create table log as select 1 i")

    def none(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr("postclick.extras.find_spec", none)
    with pytest.raises(InputError, match=r"needs duckdb: pip install 'postclick\[duckdb\]'"):
        open_log(path)


def test_others_may_write_while_a_log_is_not_read(tmp_path: Path) -> None:
    path = made(tmp_path / "log.duckdb", "create table log as select 1 as click")
    source = open_log(path)
    assert sum(frame.height for frame in source.frames(["click"])) == 1
    with closing(duckdb.connect(str(path))) as writer:
        writer.execute("insert into log values (0)")
    assert sum(frame.height for frame in open_log(path).frames(["click"])) == 2
