"""Logs in object stores: formats, changes, refusals."""

import gzip
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from pyarrow import orc

from helpers.object_store import BUCKET, ObjectStore
from postclick.data.read.opening import LogSource, open_log
from postclick.data.read.places.store import is_url, open_store
from postclick.errors import InputError

LOG = pl.DataFrame({"a": ["1", "2", "3"], "b": ["x", None, "z"]})


def read(source: LogSource) -> pl.DataFrame:
    return pl.concat(list(source.frames(source.columns)))


WRITE: dict[str, Callable[[Path], None]] = {
    "parquet": LOG.write_parquet,
    "arrow": LOG.write_ipc,
    "arrows": LOG.write_ipc_stream,
    "avro": LOG.write_avro,
    "jsonl": LOG.write_ndjson,
    "orc": lambda path: orc.write_table(LOG.cast(pl.String).to_arrow(), str(path)),
}


@pytest.mark.parametrize("end", ["csv", "csv.gz", "tsv", *WRITE])
def test_formats(store: ObjectStore, tmp_path: Path, end: str) -> None:
    path = tmp_path / f"log.{end}"
    if end in WRITE:
        WRITE[end](path)
    else:
        text = LOG.write_csv(separator="\t" if end == "tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if end.endswith("gz") else text)
    source = open_log(store.put(f"formats/log.{end}", path))
    assert source.name == f"s3://{BUCKET}/formats/log.{end}" and source.files == ()
    assert read(source).equals(LOG)
    assert read(open_log(f"s3a://{BUCKET}/formats/log.{end}")).equals(LOG)


def test_lists_of_a_fixed_size(store: ObjectStore, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "e": pl.Series([[1.0, 2.0], None, [3.0, 4.0]], dtype=pl.Array(pl.Float64, 2)),
            "b": [b"x"] * 3,
        }
    )
    frame.write_parquet(tmp_path / "log.parquet")
    found = read(open_log(store.put("fixed/log.parquet", tmp_path / "log.parquet")))
    assert found["e"].to_list() == [[1.0, 2.0], None, [3.0, 4.0]] and found["b"][0] == "x"


def test_folders(store: ObjectStore) -> None:
    store.put("folder/dt=1/b.csv", b"click\n2\n")
    store.put("folder/dt=1/a.csv", b"click\n1\n")
    store.put("folder/dt=1/_SUCCESS", b"")
    for name in ("folder", "folder/"):
        assert read(open_log(f"s3://{BUCKET}/{name}")).rows() == [("1", "1"), ("2", "1")]


def test_state_and_changes(store: ObjectStore) -> None:
    """The same size within the same second is told apart by the ETag."""
    url = store.put("state/log.csv", b"click\n1\n")
    source = open_log(url)
    before = source.state()
    assert before == open_log(url).state()
    store.put("state/log.csv", b"click\n0\n")
    assert open_log(url).state() != before
    with pytest.raises(InputError, match=r"s3://.*log\.csv changed while it was read"):
        read(source)
    store.client.delete_object(Bucket=BUCKET, Key="state/log.csv")
    with pytest.raises(InputError, match="changed while it was read"):
        read(source)


def test_what_is_not_there(store: ObjectStore) -> None:
    for url in (f"s3://{BUCKET}/none.csv", "s3://nobucket/log.csv"):
        with pytest.raises(InputError, match="does not exist: check the bucket, the path and the"):
            open_log(url)
    with pytest.raises(InputError, match="no file system is known for foo://: write one of s3"):
        open_log("foo://x/log.csv")
    with pytest.raises(InputError, match="Missing bucket name"):
        open_log("s3://")


@pytest.fixture
def closed(store: ObjectStore) -> Iterator[ObjectStore]:
    """The store, in which no key opens anything."""

    def after(actions: float) -> None:
        request = urllib.request.Request(
            f"{store.endpoint}/moto-api/reset-auth",
            data=str(actions).encode(),
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request).close()

    after(0)
    yield store
    after(float("inf"))


def test_wrong_credentials_are_one_line(closed: ObjectStore) -> None:
    with pytest.raises(InputError, match=r"cannot be read: .*check the name and AWS_ACCESS_KEY_ID"):
        open_log(f"s3://{BUCKET}/log.csv")


def test_the_options_of_a_url(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint may stand in the URL; a question mark without = is part of a glob."""
    store.put("options/log1.csv", b"click\n1\n")
    place = store.endpoint.removeprefix("http://").replace(":", "%3A")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    url = f"s3://{BUCKET}/options/log?.csv?scheme=http&endpoint_override={place}"
    assert read(open_log(url)).rows() == [("1",)]


def test_secrets_are_not_told(store: ObjectStore) -> None:
    url = f"s3://user:secret@{BUCKET}/none.csv"
    opened, path = open_store(url)
    assert (opened.url_of(path), path) == (f"s3://{BUCKET}/none.csv", f"{BUCKET}/none.csv")
    with pytest.raises(InputError) as caught:
        open_log(url)
    assert "secret" not in str(caught.value)


def test_other_protocols_through_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://logs/dt=1/log.csv", "wb") as file:
        file.write(b"click\n1\n")
    assert read(open_log("memory://logs/dt=1/log.csv")).rows() == [("1", "1")]
    assert read(open_log("memory://logs")).rows() == [("1", "1")]
    assert read(open_log("memory://logs/*/*.csv")).rows() == [("1", "1")]
    assert not is_url(str(tmp_path)) and not is_url(tmp_path)


def test_local_urls(tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_text("click\n1\n")
    assert read(open_log(f"file://{tmp_path}/a%20b.csv")).rows() == [("1",)]
