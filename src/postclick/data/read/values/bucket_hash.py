"""Texts to buckets by a hash that is the same in every process, version and machine."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Int64s = npt.NDArray[np.int64]
UInt64s = npt.NDArray[np.uint64]
_FACTOR, _SHIFT = np.uint64(0xC6A4A7935BD1E995), np.uint64(47)
_WORD = 8  # bytes
# By the number of bytes of a word that belong to a text: those bytes.
_TAKEN = np.array([(1 << 8 * k) - 1 for k in range(_WORD + 1)], dtype=np.uint64)
# Texts that are hashed at a time: few enough for the cache.
_BLOCK = 16_384


def text_hash64(texts: pl.Series) -> UInt64s:
    """uint64 [n]: MurmurHash64A (Appleby, public domain) with seed 0 of the UTF-8 bytes.

    The hash of a missing text is that of an empty one.

    >>> [hex(value) for value in text_hash64(pl.Series(["7", "shop_12345", None])).tolist()]
    ['0x98a73cc3900146f0', '0x150a81fc9c0777fe', '0x0']
    """
    offsets, data = _utf8(texts)
    firsts = range(0, max(len(texts), 1), _BLOCK)
    blocks = [_murmur(offsets[first : first + _BLOCK + 1], data) for first in firsts]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def bucket_ids(texts: pl.Series, buckets: int) -> npt.NDArray[np.int32]:
    """int32 [n]: 1 + the hash of each canonical text modulo `buckets`, 0 where it is missing.

    >>> bucket_ids(pl.Series(["7", None, "shop_12345", "7"]), 1000).tolist()
    [905, 0, 79, 905]
    """
    return buckets_of(text_hash64(texts), texts, buckets)


def buckets_of(hashes: UInt64s, texts: pl.Series, buckets: int) -> npt.NDArray[np.int32]:
    """`bucket_ids` of texts whose hashes are known."""
    ids = (hashes % np.uint64(buckets)).astype(np.int32)
    ids += 1
    if texts.null_count():
        ids[texts.is_null().to_numpy()] = 0
    return ids


def _murmur(offsets: Int64s, data: npt.NDArray[np.uint8]) -> UInt64s:
    """The first word of all texts at a time, then the second of those that have one ..."""
    data = data[offsets[0] : offsets[-1] + _WORD]
    # The word that begins at each byte, copied so that numpy need not do so for each look.
    words = np.ndarray((len(data) - _WORD + 1,), np.dtype("<u8"), data, strides=(1,)).copy()
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    hashes: UInt64s = lengths.astype(np.uint64) * _FACTOR
    live, going = None, hashes  # the texts that have not ended, and their hashes so far
    for first in range(0, int(lengths.max(initial=0)), _WORD):
        left = lengths - first
        some = left > 0
        if 2 * np.count_nonzero(some) < len(some):
            if live is None:
                live = some.nonzero()[0]
            else:
                hashes[live] = going
                live = live[some]
            starts, lengths, left, going = (a[some] for a in (starts, lengths, left, going))
            some = left > 0
        np.minimum(left, _WORD, out=left)
        word = words.take(starts + first, mode="clip")
        # Of a text that has ended no byte is taken; what stands there makes no difference.
        word &= _TAKEN.take(left, mode="clip")
        mixed = word * _FACTOR
        mixed ^= mixed >> _SHIFT
        mixed *= _FACTOR
        np.copyto(mixed, word, where=left < _WORD)  # the last, incomplete word
        mixed ^= going
        mixed *= _FACTOR
        np.copyto(going, mixed, where=some)
    if live is not None:
        hashes[live] = going
    hashes ^= hashes >> _SHIFT
    hashes *= _FACTOR
    hashes ^= hashes >> _SHIFT
    return hashes


def _utf8(texts: pl.Series) -> tuple[Int64s, npt.NDArray[np.uint8]]:
    """Where each text begins and the last one ends, and all bytes with a word of zeros behind."""
    array = texts.cast(pl.String).rechunk().to_arrow()
    if not pa.types.is_large_string(array.type):
        array = array.cast(pa.large_string())
    _, edges, content = array.buffers()
    offsets = np.frombuffer(edges or bytes(8), np.int64)
    offsets = offsets[array.offset : array.offset + len(array) + 1]
    data = np.zeros(int(offsets[-1] - offsets[0]) + _WORD, dtype=np.uint8)
    if content is not None:
        data[:-_WORD] = np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], data
