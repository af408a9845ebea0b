"""The same rows in every format give the same log; what is not read is refused by name."""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest

from helpers.packing import packed
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.opening import LogSource, open_log
from postclick.data.schema import LogSchema, ReadSettings
from postclick.errors import InputError

ROWS = pl.DataFrame(
    {
        "click": [1, 0, 1, 1],
        "buy": [1, 0, 0, 0],
        "user": [2**62 + 1, 7, None, 2**53 + 1],
        "shop": ["ä", "b", None, 'c "d"'],
        "price": [2.5, -0.125, None, 1e-7],
        "seen": [["7", "8"], [], None, ["9"]],
    }
)
SCHEMA = LogSchema.parse(
    {
        "click": "click",
        "conversion": "buy",
        "categorical": ["user", "shop"],
        "numeric": ["price"],
        "multi": [{"name": "seen", "separator": " "}],
    }
)


def read(source: LogSource, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def stream(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out)
    return out.getvalue()


def written(write: Callable[..., object], **options: object) -> bytes:
    out = io.BytesIO()
    write(out, **options)
    return out.getvalue()


def orc() -> bytes:
    out = io.BytesIO()
    pyarrow.orc.write_table(pa.table(ROWS.to_arrow()).cast(_plain(ROWS.to_arrow().schema)), out)
    return out.getvalue()


def _plain(schema: pa.Schema) -> pa.Schema:
    """Types that ORC has."""
    text, texts = pa.large_string(), pa.large_list(pa.large_string())
    kinds = {text: pa.string(), texts: pa.list_(pa.string())}
    return pa.schema([(f.name, kinds.get(f.type, f.type)) for f in schema])


TEXT = ROWS.with_columns(pl.col("seen").list.join(" "))
JSON = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS.to_dicts()).encode()
FILES = {
    "log.csv": written(TEXT.write_csv),
    "LOG.TSV.GZ": packed(written(TEXT.write_csv, separator="\t"), ".gz"),
    "log.jsonl": JSON,
    "LOG.NDJSON": JSON.decode().replace("\n", "\r\n\r\n").encode(),
    "log.json": b"\xef\xbb\xbf" + JSON,
    "log.jsonl.zst": packed(JSON, ".zst"),
    "utf16.jsonl": JSON.decode().encode("utf-16"),
    "log.parquet": written(ROWS.write_parquet),
    "log.arrow": written(ROWS.write_ipc),
    "LOG.FEATHER": written(ROWS.write_ipc, compression="zstd"),
    "lz4.ipc": written(ROWS.write_ipc, compression="lz4"),
    "log.arrows": stream(ROWS),
    "two.arrows": stream(ROWS.head(1)) + stream(ROWS.tail(3)),
    "log.avro": written(ROWS.write_avro),
    "snappy.avro": written(ROWS.write_avro, compression="snappy"),
    "deflate.avro": written(ROWS.write_avro, compression="deflate"),
    "log.orc": orc(),
}


@pytest.mark.parametrize("name", FILES)
def test_formats_are_the_same_log(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    source, issues = open_log(tmp_path / name), Issues()
    assert source.columns == tuple(ROWS.columns)
    found = Canonicalizer(SCHEMA, source.columns).convert(read(source), issues)
    expected = Canonicalizer(SCHEMA, ROWS.columns).convert(ROWS, Issues())
    assert found.equals(expected) and not issues.rows
    assert read(source, ["price", "click"]).columns == ["price", "click"]
    encoding = source.read_as == "with encoding utf-16"
    assert source.notes == () or encoding


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_name_does_not_matter(tmp_path: Path, name: str) -> None:
    """Content decides; a file that is not what its name says is read as what it is."""
    path = tmp_path / "log.data"
    path.write_bytes(FILES[name])
    source, issues = open_log(path), Issues()
    expected = Canonicalizer(SCHEMA, ROWS.columns).convert(ROWS, Issues())
    assert Canonicalizer(SCHEMA, ROWS.columns).convert(read(source), issues).equals(expected)
    assert name == "log.csv" or len(source.notes) == 1


def test_a_folder_of_all_formats_is_one_log(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "readme.txt").write_text("no log")
    canonical = Canonicalizer(SCHEMA, ROWS.columns)
    frames = open_log(tmp_path).frames(ROWS.columns)
    rows = pl.concat([canonical.convert(frame, Issues()) for frame in frames])
    expected = pl.concat([canonical.convert(ROWS, Issues())] * len(FILES))
    assert rows.equals(expected)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("log.xlsx", b"PK\x03\x04 and more", "a zip archive or an Excel workbook, which is not"),
        ("log.csv", b"PK\x03\x04 and more", "a zip archive or an Excel workbook, which is not"),
        ("log.pkl", pickle.dumps({"a": [1]}), "a Python pickle, which is not read"),
        ("log.data", b"SQLite format 3\0 and more", "an SQLite database, which is not read"),
        ("log.db", b"SQLite format 3\0 and more", "an SQLite database, which is not read"),
        ("log.csv", b"<!DOCTYPE html><html>", "a web page, not the file it links to"),
        ("log.csv.xz", b"\xfd7zXZ\0 and more", "compressed with xz, which is not read: unpack"),
        ("log.csv.gz", packed(FILES["log.parquet"], ".gz"), "Parquet within gzip: unpack it"),
        ("log.tgz", packed(b"log.csv".ljust(257, b"\0") + b"ustar", ".gz"), "a tar archive"),
        ("log.csv.gz", b"a,b\n1,2\n", "its name says gzip, its first bytes do not"),
        ("log.parquet", b"a,b\n1,2\n", "not a readable Parquet file"),
        ("log.parquet", FILES["log.parquet"][:-9], "not a readable Parquet file"),
        ("log.feather", b"a,b\n1,2\n", "not a readable Arrow IPC file"),
        ("log.arrow", FILES["log.arrow"][:-9], "not a readable Arrow IPC file"),
        ("log.arrows", FILES["log.arrows"][:-8], "breaks off: a stream ends with a mark"),
        ("log.arrows", FILES["log.arrows"][:-40], "breaks off or is damaged"),
        ("log.avro", b"a,b\n1,2\n", "not a readable Avro file: it does not begin with Obj1"),
        ("log.avro", FILES["log.avro"][:-5], "breaks off or is damaged: it ends within a block"),
        ("log.orc", FILES["log.orc"][:-9], "not a readable ORC file"),
        ("log.json", b'[{"a": 1},\n{"a": 2}]\n', "not one object a line: write one object a line"),
        ("log.json", b'{\n "a": 1\n}\n', "not one object a line"),
        ("log.jsonl", b"", "is empty: expected one JSON object a line"),
        ("log.jsonl", b'{"a": 1}\n{"a": 2,}\n', "line 2 is not JSON"),
        ("log.jsonl", b'{"a": 1}\n\n{"a": NaN}\n', "line 3 is not JSON (NaN is no JSON number"),
        ("log.jsonl", b'{"a": 1}\n[2]\n', "line 2 is not an object"),
        ("log.jsonl", b'{"a": 1, "a": 2}\n', "two columns are called 'a'"),
        ("log.jsonl", b'{"a": [1]}\n{"a": 2}\n', "line 2 has one value in 'a', lines"),
        ("log.jsonl", b'{"a": 1}\n{"a": [2]}\n', "line 2 has a list in 'a', lines before it have"),
        ("log.jsonl", b'{"a": "\xe9"}\n', "is not UTF-8 (line 1, byte 0xe9): set read"),
    ],
)
def test_what_is_not_read_is_one_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read(open_log(path))
    message = str(caught.value)
    assert says in message and message.startswith(str(path)) and "\n" not in message


def test_columns_of_the_same_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([[1], [2], [3]], names=["a", "b", "a"])
    pq.write_table(table, tmp_path / "log.parquet")
    with pa.ipc.new_file(str(tmp_path / "log.arrow"), table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(str(tmp_path / "log.arrows"), table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "log.csv").write_text("a,b,a\n1,2,3\n")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(InputError, match=r"'a'"):
            open_log(path)


def test_json_numbers_keep_what_they_are(tmp_path: Path) -> None:
    """Whole numbers of any size, and a column that becomes text late, whole."""
    path = tmp_path / "log.jsonl"
    ids = [2**53 + 1, 2**63 + 5, -(2**63), 123456789012345678901234567890]
    path.write_text("".join(f'{{"id": {i}, "flag": true}}\n' for i in ids))
    assert read(open_log(path))["id"].to_list() == [str(i) for i in ids]
    assert read(open_log(path))["flag"].to_list() == ["true"] * 4
    path.write_text("".join(f'{{"id": {i}}}\n' for i in ids[:1]) * 3)
    assert read(open_log(path)).schema == {"id": pl.Int64}
    path.write_bytes('{"a": "é"}\n'.encode("latin-1"))
    found = open_log(path, read=ReadSettings(encoding="latin-1"))
    assert read(found)["a"].to_list() == ["é"]
