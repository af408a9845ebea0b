"""Arrow IPC and ORC: frames do not go by the batches that a writer made."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import orc

from postclick.data.read import chunks
from postclick.data.read.opening import open_log

SHOPS = [f"s{k % 7}" for k in range(100)]


def table(start: int, end: int) -> pa.Table:
    shops = pa.array(SHOPS[start:end])
    return pa.table({"x": list(range(start, end)), "shop": shops, "d": shops.dictionary_encode()})


def write(path: Path, batch_rows: int) -> None:
    parts = [table(k, min(k + batch_rows, 100)) for k in range(0, 100, batch_rows)]
    if path.suffix == ".orc":
        whole = pa.concat_tables(part.drop_columns("d") for part in parts)
        orc.write_table(whole, str(path), stripe_size=1, batch_size=batch_rows)
    elif path.suffix == ".arrows":  # one stream behind the other
        with path.open("wb") as file:
            for part in parts:
                with pa.ipc.new_stream(file, part.schema) as writer:
                    writer.write_table(part)
    else:
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        with pa.ipc.new_file(str(path), parts[0].schema, options=options) as writer:
            writer.write_table(pa.concat_tables(parts), max_chunksize=batch_rows)


@pytest.mark.parametrize("end", [".arrow", ".arrows", ".orc"])
def test_chunks_are_the_same_for_any_batches(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 32)
    for batch_rows in (1, 5, 32, 45, 100):
        path = tmp_path / f"{batch_rows}{end}"
        write(path, batch_rows)
        columns = ["shop", "x"] if end == ".orc" else ["d", "shop", "x"]
        frames = list(open_log(path).frames(columns))
        assert [frame.height for frame in frames] == [32, 32, 32, 4]
        whole = pl.concat(
            frame.with_columns(pl.col(columns[0]).cast(pl.String)) for frame in frames
        )
        assert whole["x"].to_list() == list(range(100)) and whole[columns[0]].to_list() == SHOPS
