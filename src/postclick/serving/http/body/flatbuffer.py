"""Reading flatbuffers, the headers of Arrow messages, where pyarrow does not say what they hold.

Numbers of fields are those of Message.fbs and Schema.fbs in the Arrow format. A damaged buffer
raises `struct.error`.
"""

# Why not a limit on bytes alone. Two attacks pass every one that lets honest streams through (a
# schema of 999 columns has 68 kB from polars, 205 kB from pandas); measured with pyarrow 25, which
# has no limit of its own:
# - A schema whose columns or metadata name one long text many times. pyarrow copies it for each:
#   16 kB become 32 MiB, 65 kB become 508 MiB, and with 262 kB the process is out of memory and
#   aborted, which no `except` can prevent. It grows with the square of the message.
# - A compressed batch: 66 kB of zstd become 2 GiB in 4.6 s, so a body of 8 MiB could be 256 GiB.
# Looked through by these functions first, each is refused in 1 MiB and at most 0.25 s (of 8 MB).

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
