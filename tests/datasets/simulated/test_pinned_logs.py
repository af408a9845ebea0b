"""Worlds give the logs that they always gave: what other worlds and options bring moves no bit."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.datasets.simulated import write_simulated

# Of logs drawn before there were other worlds: train, test, schema.yaml with world.json.
PINNED = {
    "independent": ("ad8e2f742b62ee9f", "9b92f48b9427526c", "8d16c409b7c5470d"),
    "confounded": ("6fa657645758a1b7", "b1f6a15c56b76f10", "eeb67717470c237f"),
    "adverse": ("9d5121c57cd7eb57", "d4c367d1e42fa185", "9be8689d7dcdec88"),
    "hidden": ("04df703ba729080d", "fe5e3e9f162e28c7", "e4dc1211a25f6912"),
    "position": ("015d70cf9909ec8d", "771f678baadf0622", "38f3b9faddd0f8a9"),
    "sparse": ("d76f456cf4937033", "cf15ff0a4182b395", "fc81171eb9060ca6"),
    "shift": ("2930990b821b7ce3", "46996b43ad516265", "460b238130466450"),
    "aliccp_like": ("67a35d6f893fdcdd", "42ab2f0530c95422", "ececf15da9833498"),
    "aliexpress_like": ("c013c6986db2cb66", "3c7bc5efdb7b4aba", "cac109a76c4f6943"),
}


def fingerprint(frame: pl.DataFrame) -> str:
    """Of names and values in order; probabilities to 9 decimals, that no other CPU differs."""
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        if column.dtype.is_float():
            data = np.round(column.to_numpy(), 9).astype("<f8").tobytes()
        elif column.dtype.is_integer():
            data = column.fill_null(-1).cast(pl.Int64).to_numpy().astype("<i8").tobytes()
        elif column.dtype.is_nested():
            data = column.list.len().fill_null(0).to_numpy().astype("<i8").tobytes()
            data += fingerprint(column.explode().drop_nulls().to_frame()).encode()
        else:
            data = "\n".join(column.to_list()).encode()
        digest.update(column.name.encode() + b"\0" + data)
    return digest.hexdigest()[:16]


def told(folder: Path) -> str:
    """Of the schema and of what world.json says, its figures to 9 decimals."""
    text = (folder / "world.json").read_text(encoding="utf-8")
    world = json.loads(text, parse_float=lambda figure: str(round(float(figure), 9)))
    schema = (folder / "schema.yaml").read_text(encoding="utf-8")
    return hashlib.sha256((schema + json.dumps(world)).encode()).hexdigest()[:16]


@pytest.mark.parametrize("world", PINNED)
def test_the_first_nine_worlds_give_the_logs_they_always_gave(world: str, tmp_path: Path) -> None:
    out = tmp_path / "log"
    log = write_simulated(out, world, rows=4_000, seed=11, users=300, items=120)
    assert (fingerprint(log.train), fingerprint(log.test), told(out)) == PINNED[world]
