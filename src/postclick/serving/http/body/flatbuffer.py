"""Reading flatbuffers, the headers of Arrow messages, where pyarrow does not say what they hold.

Numbers of fields are those of Message.fbs and Schema.fbs in the Arrow format. A damaged buffer
raises `struct.error`.
"""

import struct
from collections.abc import Iterator


def root(data: bytes) -> int:
    """Position of the outermost table."""
    return int(struct.unpack_from("<I", data)[0])


def field(data: bytes, table: int, number: int) -> int | None:
    """Position of a field's value; None if the table leaves it out."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + 4 + 2 * number)[0]
    return table + offset if offset else None


def target(data: bytes, table: int, number: int) -> int | None:
    """Position of the table, text or list that a field refers to."""
    at = field(data, table, number)
    return None if at is None else at + int(struct.unpack_from("<I", data, at)[0])


def length(data: bytes, table: int, number: int) -> int:
    """Of the text or list that a field refers to; 0 without one."""
    at = target(data, table, number)
    return 0 if at is None else int(struct.unpack_from("<I", data, at)[0])


def tables(data: bytes, table: int, number: int) -> Iterator[int]:
    """Positions of the tables in a list; the same may be there many times."""
    at = target(data, table, number)
    for place in range(length(data, table, number)):
        assert at is not None
        here = at + 4 + 4 * place
        yield here + int(struct.unpack_from("<I", data, here)[0])
