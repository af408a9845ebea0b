import gzip
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from postclick.data.read.files.text import csv_source as source_module
from postclick.data.read.opening import FrameSource, LogSource, open_log
from postclick.errors import InputError

LOG = pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
TEXT = LOG.cast(pl.String)


def read(source: LogSource, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


def written(folder: Path, name: str) -> Path:
    path = folder / name
    separator = "\t" if ".tsv" in name else ","
    data = LOG.write_csv(separator=separator).encode()
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith((".zst", ".bz2")):
        codec = {"zst": "zstd", "bz2": "bz2"}[name[-3:]]
        with pa.CompressedOutputStream(str(path), codec) as stream:
            stream.write(data)
        return path
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("end", ["csv", "tsv", "csv.gz", "tsv.gz", "csv.zst", "tsv.zst", "csv.bz2"])
def test_text_formats(tmp_path: Path, end: str) -> None:
    source = open_log(written(tmp_path, f"log.{end}"))
    assert source.columns == ("a", "b")
    assert read(source).equals(TEXT)
    assert read(source, ["b"]).columns == ["b"]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    LOG.write_parquet(tmp_path / "log.parquet")
    source = open_log(tmp_path / "log.parquet")
    assert read(source, ["b", "a"]).equals(LOG.select("b", "a"))


def test_columns_come_in_the_order_asked_for(tmp_path: Path) -> None:
    source = open_log(written(tmp_path, "log.csv"))
    assert read(source, ["b", "a"]).equals(TEXT.select("b", "a"))


def test_reading_twice_gives_the_same_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "CSV_BLOCK_BYTES", 4096)
    frame = pl.DataFrame({"a": range(5000)})
    frame.write_csv(tmp_path / "log.csv")
    source = open_log(tmp_path / "log.csv")
    first = [f.height for f in source.frames(["a"])]
    assert len(first) > 2
    assert first == [f.height for f in source.frames(["a"])]
    assert read(source).equals(frame.cast(pl.String))


def test_many_files_and_folders(tmp_path: Path) -> None:
    part = tmp_path / "log"
    (part / "deep").mkdir(parents=True)
    LOG.write_csv(part / "2.csv")
    TEXT.with_columns(a=pl.lit("9")).write_csv(part / "deep" / "1.csv")
    LOG.write_csv(part / ".hidden.csv")
    (part / "readme.txt").write_text("no log")
    one = open_log(part)
    assert read(one)["a"].to_list() == ["1", "2", "3", "9", "9", "9"]
    both = open_log(part / "2.csv", part / "2.csv")
    assert read(both).height == 6


def test_files_of_one_log_need_the_same_columns(tmp_path: Path) -> None:
    LOG.write_csv(tmp_path / "1.csv")
    LOG.rename({"b": "c"}).write_csv(tmp_path / "2.csv")
    with pytest.raises(InputError, match="differ in column 'b'"):
        open_log(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.csv", b"", "is empty"),
        ("twice.csv", b"a,b,a\n1,2,3\n", "'a' stands twice"),
        ("bad.parquet", b"not parquet at all", "not a readable Parquet file"),
        ("bad.csv.gz", b"not gzip at all, really", "cannot be read"),
    ],
)
def test_damaged_files_when_opened(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says):
        open_log(tmp_path / name)


def test_ragged_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n3,4,5\n")
    with pytest.raises(InputError, match=r"log\.csv cannot be read") as caught:
        read(open_log(path))
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_no_short_log(tmp_path: Path) -> None:
    whole = gzip.compress(pl.DataFrame({"a": range(200_000)}).write_csv().encode())
    (tmp_path / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        read(open_log(tmp_path / "log.csv.gz"))
    LOG.write_parquet(tmp_path / "log.parquet")
    data = bytearray((tmp_path / "log.parquet").read_bytes())
    data[4:40] = b"\0" * 36
    (tmp_path / "log.parquet").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read(open_log(tmp_path / "log.parquet"))


def test_missing_paths_and_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_log(tmp_path / "none.csv")
    with pytest.raises(InputError, match="holds no CSV or Parquet"):
        open_log(tmp_path)
    with pytest.raises(InputError, match="no log given"):
        open_log()
    with pytest.raises(InputError, match="no column 'z'; it has a, b"):
        read(FrameSource(LOG), ["z"])


def test_header_without_rows(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,b\n")
    source = open_log(tmp_path / "log.csv")
    assert source.columns == ("a", "b")
    assert sum(f.height for f in source.frames(["a"])) == 0


def test_state_changes_with_the_log(tmp_path: Path) -> None:
    path = written(tmp_path, "log.csv")
    before = open_log(path).state()
    assert before == open_log(path).state()
    path.write_text("a,b\n1,2\n")
    assert open_log(path).state() != before
    assert FrameSource(LOG).state() == FrameSource(LOG.clone()).state()
    assert FrameSource(LOG).state() != FrameSource(LOG.reverse()).state()
    assert FrameSource(LOG).state() != FrameSource(LOG.rename({"a": "c"})).state()
