"""One log prepares to the same bytes from wherever it lies."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pytest

import postclick
from helpers.object_store import ObjectStore
from postclick.data.manifest import VOCABULARIES

SCHEMA: dict[str, Any] = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["day", "user", {"name": "shop", "min_count": 20}, "vip"],
    "numeric": ["price", {"name": "spend", "transform": "log1p"}],
    "multi": [{"name": "history", "weights": "weight"}],
}
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
FLAT = {**SCHEMA, "multi": []}


@cache
def log() -> pl.DataFrame:
    """Integers, text, floats, booleans, lists and gaps, in the order of days."""
    rng = np.random.default_rng(7)
    rows = 3_000
    click = rng.random(rows) < 0.4
    lengths = rng.integers(0, 4, rows)
    gap = pl.Series(rng.random(rows) < 0.1)
    return pl.DataFrame(
        {
            "day": [DAYS[k * len(DAYS) // rows] for k in range(rows)],
            "user": pl.Series(rng.integers(0, 2**40, 60)[rng.integers(0, 60, rows)]),
            "shop": pl.Series(rng.choice(["a", "Zürich", "7", "d e"], rows)).set(gap, None),
            "vip": rng.random(rows) < 0.5,
            "price": pl.Series(np.exp(rng.normal(size=rows))).set(gap, None),
            "spend": rng.integers(0, 10_000, rows),
            "history": [rng.integers(0, 30, n).tolist() for n in lengths],
            "weight": [rng.random(n).round(3).tolist() for n in lengths],
            "click": click.astype(np.int64),
            "buy": (click & (rng.random(rows) < 0.4)).astype(np.int64),
        }
    )


def parquet(folder: Path) -> Path:
    log().write_parquet(folder / "log.parquet")
    return folder / "log.parquet"


def digest(prepared: postclick.PreparedLog) -> str:
    """Of all shards and vocabularies: what a run reads."""
    kept = sorted(
        path
        for path in prepared.folder.rglob("*.parquet")
        if path.parent.name in (VOCABULARIES, "train", "valid", "test")
    )
    assert len(kept) >= 3
    whole = hashlib.sha256()
    for path in kept:
        whole.update(str(path.relative_to(prepared.folder)).encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def digest_of(given: Any, out: Path, schema: dict[str, Any] = SCHEMA) -> str:
    found = digest(postclick.prepare(postclick.open_splits(schema, given), out, shard_rows=1000))
    print(f"{out.name}: {found}")
    return found


def from_partitions(folder: Path, store: ObjectStore) -> Any:
    for (day,), part in log().group_by("day", maintain_order=True):
        place = folder / "parts" / f"day={day}"
        place.mkdir(parents=True)
        part.drop("day").write_parquet(place / "part-0.parquet")
    return folder / "parts"


def from_glob(folder: Path, store: ObjectStore) -> Any:
    return str(from_partitions(folder, store) / "day=*" / "part-*.parquet")


def from_s3(folder: Path, store: ObjectStore) -> Any:
    return store.put("same/log.parquet", parquet(folder))


def from_s3_partitions(folder: Path, store: ObjectStore) -> Any:
    return store.put("same/parts", from_partitions(folder, store))


def from_delta(folder: Path, store: ObjectStore) -> Any:
    deltalake = pytest.importorskip("deltalake")
    deltalake.write_deltalake(folder / "delta", log().to_arrow())
    return folder / "delta"


def from_delta_partitions(folder: Path, store: ObjectStore) -> Any:
    deltalake = pytest.importorskip("deltalake")
    deltalake.write_deltalake(folder / "delta", log().to_arrow(), partition_by=["day"])
    return folder / "delta"


def from_s3_delta(folder: Path, store: ObjectStore) -> Any:
    return store.put("same/delta", from_delta(folder, store))


def from_iceberg(folder: Path, store: ObjectStore) -> Any:
    pytest.importorskip("pyiceberg")
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    uri, warehouse = "sqlite:///:memory:", f"file://{folder}/ice"
    catalog = sql.SqlCatalog("made", uri=uri, warehouse=warehouse)
    catalog.create_namespace("n")
    table = log().to_arrow()
    catalog.create_table("n.log", schema=table.schema).append(table)
    return folder / "ice" / "n" / "log"


def from_duckdb(folder: Path, store: ObjectStore) -> Any:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect(folder / "log.duckdb")
    connection.register("given", log().to_arrow())
    connection.sql("create table log as select * from given")
    connection.close()
    return folder / "log.duckdb"


def from_relation(folder: Path, store: ObjectStore) -> Any:
    return pytest.importorskip("duckdb").from_arrow(log().to_arrow())


def from_pandas(folder: Path, store: ObjectStore) -> Any:
    return log().to_pandas()


def from_arrow(folder: Path, store: ObjectStore) -> Any:
    return log().to_arrow()


def from_batches(folder: Path, store: ObjectStore) -> Any:
    return log().to_arrow().to_reader(max_chunksize=700)


def from_dataset(folder: Path, store: ObjectStore) -> Any:
    return pads.dataset(parquet(folder))


def from_polars(folder: Path, store: ObjectStore) -> Any:
    return log()


def from_lazy(folder: Path, store: ObjectStore) -> Any:
    return pl.scan_parquet(parquet(folder))


MADE = (
    *(from_partitions, from_glob, from_s3, from_s3_partitions, from_delta, from_delta_partitions),
    *(from_s3_delta, from_iceberg, from_duckdb, from_relation, from_pandas, from_arrow),
    *(from_batches, from_dataset, from_polars, from_lazy),
)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("expected")
    return digest_of(parquet(folder), folder / "local_parquet")


@pytest.mark.parametrize("make", MADE, ids=lambda make: make.__name__)
def test_the_same_bytes(
    make: Callable[[Path, ObjectStore], Any], tmp_path: Path, store: ObjectStore, expected: str
) -> None:
    assert digest_of(make(tmp_path, store), tmp_path / make.__name__) == expected


@pytest.mark.parametrize("end", ["csv", "csv.gz"])
def test_the_same_bytes_from_text(end: str, tmp_path: Path, store: ObjectStore) -> None:
    """Of what text can hold: no lists."""
    flat = log().drop("history", "weight").with_columns(pl.col("vip").cast(pl.Int8))
    text = flat.write_csv().encode()
    expected = digest_of(flat, tmp_path / "flat", FLAT)
    path = tmp_path / f"log.{end}"
    path.write_bytes(text)
    if end.endswith(".gz"):
        with pa.CompressedOutputStream(str(path), "gzip") as stream:
            stream.write(text)
    assert digest_of(path, tmp_path / "csv", FLAT) == expected
    assert digest_of(store.put(f"same/log.{end}", path), tmp_path / "s3_csv", FLAT) == expected


def test_the_bytes_tell_logs_apart(tmp_path: Path, expected: str) -> None:
    other = log().with_columns(spend=pl.col("spend").reverse())
    assert digest_of(other, tmp_path / "other") != expected
