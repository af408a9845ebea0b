"""Avro files of many blocks, written here by the specification, are read a few at a time."""

import io
import json
import random
from pathlib import Path

import polars as pl
import pytest

from postclick.data.read.files import avro_file
from postclick.data.read.opening import open_log
from postclick.errors import InputError

MARK = bytes(range(16))
SCHEMA = {
    "type": "record",
    "name": "row",
    "fields": [{"name": "id", "type": "long"}, {"name": "shop", "type": ["null", "string"]}],
}


def number(value: int) -> bytes:
    """A zigzag varint."""
    value = value * 2 if value >= 0 else -value * 2 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def avro(rows: list[tuple[int, str | None]], per_block: int, codec: bytes = b"null") -> bytes:
    meta = {b"avro.schema": json.dumps(SCHEMA).encode(), b"avro.codec": codec}
    out = b"Obj\x01" + number(2) + b"".join(text(k) + text(v) for k, v in meta.items()) + b"\0"
    out += MARK
    for start in range(0, len(rows), per_block):
        block = rows[start : start + per_block]
        data = b"".join(
            number(i) + (number(0) if shop is None else number(1) + text(shop.encode()))
            for i, shop in block
        )
        out += number(len(block)) + number(len(data)) + data + MARK
    return out


def test_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avro_file, "AVRO_BLOCK_BYTES", 1000)
    draw, path = random.Random(1), tmp_path / "log.avro"
    shops = [None, "ä", "", "x" * 70]
    rows = [(draw.randrange(-(2**63), 2**63), draw.choice(shops)) for _ in range(1000)]
    for per_block in (1, 7, 1000):
        path.write_bytes(avro(rows, per_block))
        frames = list(open_log(path).frames(["id", "shop"]))
        assert pl.concat(frames).rows() == rows
        assert (len(frames) > 5) == (per_block < 1000)
        assert pl.read_avro(io.BytesIO(avro(rows, per_block))).equals(pl.concat(frames))
    path.write_bytes(avro([], 1))
    assert list(open_log(path).frames(["id"])) == []


def test_damage_and_what_polars_cannot(tmp_path: Path) -> None:
    path = tmp_path / "log.avro"
    whole = avro([(k, "x") for k in range(100)], 10)
    for data, says in (
        (whole[:-1], "it ends within a block"),
        (whole[:200], "it ends within a block"),
        (whole[:-16] + b"\0" * 16, "does not end with the mark of the file"),
        (avro([(1, "x")], 1, b"zstandard"), "is compressed with zstandard, which is not read"),
        (avro([(1, "x")], 1).replace(b'"shop"', b'"id"  '), "two columns are called 'id'"),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=says) as caught:
            list(open_log(path).frames(["id", "shop"]))
        assert "\n" not in str(caught.value)


def with_schema(schema: bytes) -> bytes:
    return b"Obj\x01" + number(1) + text(b"avro.schema") + text(schema) + b"\0" + MARK


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"Obj\x01" + number(1) + number(2**40), "it ends within a block"),
        (b"Obj\x01" + number(1) + text(b"avro.schema") + number(2**62), "it ends within a block"),
        (avro([], 1) + number(1) + number(2**40) + b"x", "it ends within a block"),
        (with_schema(b'{"type": "record", "name": "row"}'), "a field without a name"),
        (with_schema(b'{"type": "record", "fields": {"name": "id"}}'), "a field without a name"),
        (with_schema(b'{"type": "record", "fields": [3]}'), "a field without a name"),
        (with_schema(b'{"type": "record", "fields": [{"type": "int"}]}'), "a field without a name"),
        (with_schema(b'{"type": "record", "fields": [{"name": "i"}]}'), "a field without a name"),
        (with_schema(b"[" * 100_000), "is nested too deeply"),
    ],
)
def test_lengths_and_schemas_that_cannot_be(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "log.avro"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says) as caught:
        log = open_log(path)
        list(log.frames(log.columns))
    assert "\n" not in str(caught.value)
