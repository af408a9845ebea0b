"""Schemas of strangers: what unfolds is refused, what is sent again is remembered, with a bound."""

import struct

import flatbuffers
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from postclick.serving.http.body import arrow_schema
from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.arrow_schema import CONTINUATION, feature_columns
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal

from .test_arrow_body import arrow_stream, polars_stream

END = CONTINUATION + struct.pack("<i", 0)
INT, STRUCT, TIMESTAMP = 2, 13, 10


def schema_of(repeated: str, times: int, *, big_endian: bool = False) -> bytes:
    """A schema message of a few bytes for each of many references to one column, pair or text."""
    build = flatbuffers.Builder(1024)

    def vector(places: list[int]) -> int:
        build.StartVector(4, len(places), 4)
        for place in reversed(places):
            build.PrependUOffsetTRelative(place)
        return int(build.EndVector())

    def table(slots: int, **fields: int) -> int:
        """Fields by kind and number: r a reference, b a byte, i an int32, s an int16."""
        build.StartObject(slots)
        put = {
            "r": build.PrependUOffsetTRelativeSlot,
            "b": build.PrependUint8Slot,
            "i": build.PrependInt32Slot,
            "s": build.PrependInt16Slot,
        }
        for name, value in fields.items():
            put[name[0]](int(name[1:]), value, 0)
        return int(build.EndObject())

    long_text = build.CreateString("x" * 10_000)
    name, no_children = build.CreateString("item"), vector([])
    signed = table(2, i0=64, b1=1)
    column = table(7, r0=name, b2=INT, r3=signed, r5=no_children)
    columns, pairs = [column], vector([])
    if repeated == "child":
        columns.append(table(7, r0=name, b2=STRUCT, r3=table(0), r5=vector([column] * times)))
    elif repeated == "pair":
        pair = table(2, r0=long_text, r1=long_text)
        pairs = vector([pair] * times)
    elif repeated == "zone":
        zoned = table(2, r1=long_text)
        columns += [table(7, r0=name, b2=TIMESTAMP, r3=zoned, r5=no_children)] * times
    elif repeated == "column":
        columns *= times
    schema = table(4, s0=int(big_endian), r1=vector(columns), r2=pairs)
    build.Finish(table(5, s0=4, b1=1, r2=schema))
    content = bytes(build.Output())
    content += bytes(-len(content) % 8)
    return CONTINUATION + struct.pack("<i", len(content)) + content


@pytest.mark.parametrize(
    ("repeated", "times", "message"),
    [
        ("child", 5_000, "the schema unfolds to more than 1,048,576 bytes"),
        ("pair", 200, "the schema unfolds to more than 1,048,576 bytes"),
        ("zone", 200, "the schema unfolds to more than 1,048,576 bytes"),
        ("column", 1_001, "1001 columns are more than 1000"),
    ],
)
def test_what_unfolds_is_refused(repeated: str, times: int, message: str) -> None:
    before = dict(arrow_schema._known)
    body = schema_of(repeated, times) + END
    assert len(body) < 60_000
    with pytest.raises(Refusal) as caught:
        parse_arrow(body, ["item"], Limits())
    assert caught.value.status == 413 and message in caught.value.message
    assert arrow_schema._known == before


def test_pyarrow_alone_unfolds_it() -> None:
    """Once it does not, `flatbuffer.py` may go: then a limit on bytes is enough."""
    message = schema_of("zone", 200)
    unfolded = pa.ipc.read_schema(pa.py_buffer(message)).serialize()
    assert len(unfolded) > 100 * len(message)


def test_pyarrow_alone_unpacks_what_is_compressed() -> None:
    """To a thousand times the bytes that were sent, and there is no option that says no."""
    zeros = pa.table({"item": np.zeros(2**20, dtype=np.int64)})
    body = arrow_stream(zeros, compression="zstd")
    with pa.ipc.open_stream(body) as reader:
        assert reader.read_all().nbytes > 1_000 * len(body)


def test_the_limit_is_far_from_honest_schemas() -> None:
    names = {f"a column with a name of {k}": [k] for k in range(999)}
    table = pa.Table.from_pydict({"item": [1], **names})
    pandas = {b"pandas": b"{" + b"x" * 120_000 + b"}"}
    body = arrow_stream(table.replace_schema_metadata(pandas))
    assert parse_arrow(body, ["item"], Limits()).rows.column("item").to_list() == [1]


def test_what_is_sent_again_is_remembered_for_its_features() -> None:
    body = polars_stream(pl.DataFrame({"age": [1, 2], "item": [3, 4], "price": [0.5, None]}))
    for features in (["age"], ["item", "price"], ["age", "item"]):
        for _ in range(2):
            rows = parse_arrow(body, features, Limits()).rows
            assert sorted(rows.names) == sorted(features)
    for number in range(2 * arrow_schema.REMEMBERED):
        other = polars_stream(pl.DataFrame({"age": [number], f"n{number}": [1]}))
        assert parse_arrow(other, ["age"], Limits()).rows.column("age").to_list() == [number]
    assert len(arrow_schema._known) == arrow_schema.REMEMBERED


def test_integers_of_many_widths_are_one_matrix() -> None:
    kinds = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
    table = pa.table({f"n{k}": pa.array([7 * k, 100 + k], kind) for k, kind in enumerate(kinds)})
    table = table.append_column("n7", pa.array([2**64 - 1, 0], pa.uint64()))
    rows = parse_arrow(arrow_stream(table), table.column_names, Limits()).rows
    assert rows.integers == tuple(table.column_names[:7]) and rows.frame.columns == ["n7"]
    assert rows.whole().to_dict(as_series=False) == table.to_pydict()


def test_numbers_of_another_machine_are_turned_round() -> None:
    """The batch of a stream that says it is big-endian, and whose bytes are."""
    values = np.array([1, 2, 300])
    stream = arrow_stream(pa.table({"item": values}))
    start = 8 + struct.unpack_from("<i", stream, 4)[0]
    batch = stream[start:].replace(values.tobytes(), values.byteswap().tobytes())
    body = schema_of("nothing", 0, big_endian=True) + batch
    assert pa.ipc.open_stream(body).read_all().to_pydict() == {"item": [1, 2, 300]}
    assert parse_arrow(body, ["item"], Limits()).rows.column("item").to_list() == [1, 2, 300]
    content = schema_of("nothing", 0)[8:]
    assert not feature_columns(content, frozenset({"item"}), Limits()).foreign_byte_order
