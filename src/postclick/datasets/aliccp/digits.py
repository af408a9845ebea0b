"""Numbers out of raw bytes, many at once: no Python object per number."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]

# Bytes that have to stand before the first number of a buffer, so that looking back is safe.
PAD = 16
_ZEROS = np.uint64(0x3030303030303030)
_HIGH = np.uint64(0xF0F0F0F0F0F0F0F0)
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_NIBBLES[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)


class NotANumber(ValueError):
    """Some of the bytes do not spell a number."""


def words(buffer: bytes) -> NDArray[np.uint64]:
    """Every run of eight bytes as a little-endian word: `words(b)[i]` holds b[i] to b[i + 7]."""
    view: NDArray[np.uint64] = np.ndarray(
        (max(len(buffer) - 7, 0),), dtype="<u8", buffer=buffer, strides=(1,)
    )
    return view


def integers(buffer: bytes, start: Positions, end: Positions) -> NDArray[np.int64]:
    """Decimal numbers of 1 to 16 digits at buffer[start:end], with `PAD` bytes before the first.

    Raises `NotANumber` where anything but digits stands.

    >>> text = b" " * PAD + b"7,1234567890"
    >>> integers(text, np.array([16, 18]), np.array([17, 28])).tolist()
    [7, 1234567890]
    """
    length = end - start
    if length.size and (length.min() < 1 or length.max() > 16):
        raise NotANumber
    window = words(buffer)
    value = _eight_digits(window[end - 8], np.minimum(length, 8))
    long = np.flatnonzero(length > 8)
    if long.size:
        head = _eight_digits(window[end[long] - 16], length[long] - 8)
        value[long] += head * 100_000_000
    return value


def _eight_digits(word: NDArray[np.uint64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number that the last `length` characters of each word spell.

    Pairs of digits, then of pairs, then of fours are joined inside the 64-bit word.
    """
    foreign = ((8 - length) * 8).astype(np.uint64)
    keep = np.uint64(2**64 - 1) << foreign
    word = (word & keep) | (_ZEROS & ~keep)
    over_nine = (word + np.uint64(0x0606060606060606)) & _HIGH
    if not (((word & _HIGH) == _ZEROS) & (over_nine == _ZEROS)).all():
        raise NotANumber
    word -= _ZEROS
    word = word * np.uint64(10) + (word >> np.uint64(8))
    low = np.uint64(0x000000FF000000FF)
    first = (word & low) * np.uint64(0x000F424000000064)
    second = ((word >> np.uint64(16)) & low) * np.uint64(0x0000271000000001)
    joined = (first + second) >> np.uint64(32)
    return (joined & np.uint64(0xFFFFFFFF)).astype(np.int64)


def hexadecimals(buffer: bytes, start: Positions) -> NDArray[np.uint64]:
    """Numbers of exactly 16 hexadecimal digits that begin at `start`; fast if equal ones adjoin.

    >>> hex(hexadecimals(b"84dceed2e3a667f8", np.array([0]))[0])
    '0x84dceed2e3a667f8'
    """
    window = words(buffer)
    first, second = window[start], window[start + 8]
    new = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    heads = np.concatenate(([0], np.flatnonzero(new) + 1))[: start.size]
    array = np.frombuffer(buffer, np.uint8)
    nibbles = _NIBBLES[array[start[heads, None] + np.arange(16)]]
    if (nibbles > 15).any():
        raise NotANumber
    packed = np.ascontiguousarray((nibbles[:, 0::2] << 4) | nibbles[:, 1::2])
    number = packed.view(">u8").ravel().astype(np.uint64)
    return np.repeat(number, np.diff(np.append(heads, start.size)))


def decimals(array: Bytes, start: Positions, end: Positions) -> NDArray[np.float32]:
    """Decimal fractions at array[start:end] as float32; ascending, with a byte between any two.

    >>> decimals(np.frombuffer(b"1.0;2.5e-1", np.uint8), np.array([0, 4]), np.array([3, 10]))
    array([1.  , 0.25], dtype=float32)
    """
    length = end - start
    if not length.size:
        return np.empty(0, np.float32)
    if length.min() < 1:
        raise NotANumber
    edge = np.zeros(int(end[-1]) + 1, np.int8)
    edge[start] = 1
    edge[end] = -1
    inside = np.cumsum(edge, dtype=np.int8).view(np.bool_)[:-1]
    chars = array[: inside.size][inside]
    offsets = np.zeros(length.size + 1, np.int32)
    np.cumsum(length, out=offsets[1:])
    text: Any = pa.StringArray.from_buffers(length.size, pa.py_buffer(offsets), pa.py_buffer(chars))
    try:
        value: NDArray[np.float32] = text.cast(pa.float32()).to_numpy()
    except pa.ArrowInvalid:
        raise NotANumber from None
    if not np.isfinite(value).all():
        raise NotANumber
    return value
