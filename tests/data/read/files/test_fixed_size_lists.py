"""Lists of a fixed size in Parquet, on a disk and behind URLs, with and without missing ones."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.fs as pa_fs
import pytest

from postclick.data.read.files import fixed_size_lists
from postclick.data.read.files.fixed_size_lists import read_in_slices
from postclick.data.read.files.parquet_source import ParquetSource
from postclick.data.read.opening import open_log
from postclick.data.read.places.remote_path import RemotePath
from postclick.data.read.places.store import Store
from postclick.errors import InputError

ROWS = 1_000


def frame(missing: int | None) -> pl.DataFrame:
    """`missing` is the first of the rows, every 100th from then on, that have no list."""
    values = np.random.default_rng(0).normal(size=(ROWS, 4)).tolist()
    if missing is not None:
        values[missing::100] = [None] * len(values[missing::100])
    lists = pl.Series("e", values, dtype=pl.Array(pl.Float64, 4))
    return pl.DataFrame({"a": [f"v{k}" for k in range(ROWS)], "e": lists})


def read(source: ParquetSource) -> pl.DataFrame:
    return pl.concat(list(source.frames(["e", "a"])))


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The copies that were made."""
    made: list[Path] = []
    plain = fixed_size_lists.read_in_slices

    def noted(file: Path, *args: object, **settings: object) -> Iterator[pl.DataFrame]:
        made.append(file)
        return plain(file, *args, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr("postclick.data.read.files.parquet_source.read_in_slices", noted)
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 150)
    return made


@pytest.mark.parametrize("missing", [None, 7, 650])
@pytest.mark.parametrize("place", ["path", "remote", "memory"])
def test_the_same_rows_wherever_they_lie(
    place: str, missing: int | None, tmp_path: Path, copies: list[Path]
) -> None:
    expected, path = frame(missing), tmp_path / "emb.parquet"
    expected.write_parquet(path, row_group_size=400)
    if place == "path":
        found = read(ParquetSource(path))
    elif place == "remote":
        store = Store(pa_fs.LocalFileSystem(), "s3://b", str(tmp_path))
        found = read(ParquetSource(RemotePath(store, str(path))))
    else:
        fsspec = pytest.importorskip("fsspec")
        with fsspec.open("memory://fixed/emb.parquet", "wb") as file:
            file.write(path.read_bytes())
        source = open_log("memory://fixed/emb.parquet")
        found = pl.concat(list(source.frames(["e", "a"])))
    assert found.equals(expected.select("e", "a"))
    if place == "path":
        assert copies == [path]
    else:  # copied only where a list is missing, and gone afterwards
        assert len(copies) == (missing is not None)
        assert not any(copy.exists() for copy in copies)


@pytest.mark.parametrize("remote", [False, True])
def test_a_damaged_file_is_one_line(remote: bool, tmp_path: Path) -> None:
    path = tmp_path / "emb.parquet"
    frame(7).write_parquet(path, compression="uncompressed")
    content = bytearray(path.read_bytes())
    content[4:2_000] = b"\xff" * 1_996
    path.write_bytes(content)
    store = Store(pa_fs.LocalFileSystem(), "s3://b", str(tmp_path))
    source = ParquetSource(RemotePath(store, str(path)) if remote else path)
    with pytest.raises(InputError, match=r"emb\.parquet breaks off or is damaged"):
        read(source)


def test_a_panic_of_polars_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame(7).write_parquet(tmp_path / "emb.parquet")

    def panic(self: pl.LazyFrame) -> pl.DataFrame:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr(pl.LazyFrame, "collect", panic)
    with pytest.raises(OSError, match="index out of bounds"):
        list(read_in_slices(tmp_path / "emb.parquet", ["e"], 100, ROWS))
