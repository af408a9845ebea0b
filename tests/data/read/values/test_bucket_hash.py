"""The hash of texts: against MurmurHash64A word by word, and never another one."""

import numpy as np
import polars as pl
import pytest

from postclick.data.read.values import bucket_hash
from postclick.data.read.values.bucket_hash import bucket_ids, text_hash64
from postclick.data.read.values.canonical_text import to_text

FACTOR, MASK = 0xC6A4A7935BD1E995, (1 << 64) - 1


def murmur(data: bytes, seed: int = 0) -> int:
    """MurmurHash64A as it is published, one byte string at a time."""
    whole = len(data) // 8 * 8
    h = seed ^ (len(data) * FACTOR & MASK)
    for first in range(0, whole, 8):
        k = int.from_bytes(data[first : first + 8], "little") * FACTOR & MASK
        k = (k ^ (k >> 47)) * FACTOR & MASK
        h = (h ^ k) * FACTOR & MASK
    if data[whole:]:
        h = (h ^ int.from_bytes(data[whole:], "little")) * FACTOR & MASK
    h = (h ^ (h >> 47)) * FACTOR & MASK
    return h ^ (h >> 47)


def texts(count: int, longest: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    letters = "abcXYZ 0123456789-_äß日本é"
    return ["".join(rng.choice(list(letters), rng.integers(0, longest))) for _ in range(count)]


def test_the_reference_passes_the_check_of_smhasher() -> None:
    """The figure that Appleby's test suite has for MurmurHash64A: a hash of hashes."""
    hashes = [murmur(bytes(range(k)), 256 - k).to_bytes(8, "little") for k in range(256)]
    assert murmur(b"".join(hashes)) & 0xFFFFFFFF == 0x1F0D3804


@pytest.mark.parametrize("longest", [3, 12, 70])
def test_it_is_murmurhash64a(longest: int) -> None:
    values = [*texts(500, longest, longest), "x" * 1000, "y" * 8, "z" * 16, ""]
    assert text_hash64(pl.Series(values)).tolist() == [murmur(v.encode()) for v in values]


def test_neither_blocks_nor_slices_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    values = pl.Series(texts(300, 30, 1)).set(pl.Series([k % 11 == 5 for k in range(300)]), None)
    whole = text_hash64(values)
    assert text_hash64(values[37:151]).tolist() == whole[37:151].tolist()
    chunked = pl.concat([values[:100], values[100:]], rechunk=False)
    monkeypatch.setattr(bucket_hash, "_BLOCK", 7)
    assert text_hash64(chunked).tolist() == whole.tolist()
    assert bucket_ids(chunked, 50).tolist() == bucket_ids(values, 50).tolist()


def test_ids_are_the_same_for_ever() -> None:
    """Run folders and bundles depend on these numbers."""
    values = pl.Series(["7", "shop_12345", "-1", "Zürich", "a" * 40, "", None])
    assert text_hash64(values).tolist() == [
        *(0x98A73CC3900146F0, 0x150A81FC9C0777FE, 0x7031345D68670AF2, 0xA15444F8F1F617F2),
        *(0xF764CD58F45D7441, 0, 0),
    ]
    assert bucket_ids(values, 1000).tolist()[:2] == [905, 79]
    assert bucket_ids(values, 1000)[-1] == 0


def test_a_value_has_one_id_whatever_its_type() -> None:
    columns = [
        pl.Series([7, 12, None], dtype=pl.Int64),
        pl.Series([7.0, 12.0, None]),
        pl.Series(["7", "12", None]),
        pl.Series([7, 12, None], dtype=pl.UInt8),
        pl.Series(["7", "12", None], dtype=pl.Categorical),
    ]
    found = [bucket_ids(to_text(column), 10_000).tolist() for column in columns]
    assert all(ids == found[0] for ids in found)
    assert found[0][2] == 0


def test_ids_spread_evenly_over_the_buckets() -> None:
    values = pl.Series(np.arange(200_000)).cast(pl.String)
    counts = np.bincount(bucket_ids(values, 100))
    assert counts[0] == 0
    # 2,000 in each on average, with a deviation of 44.5.
    assert np.abs(counts[1:] - 2000).max() < 5 * 44.5


@pytest.mark.parametrize("column", [[], [None, None]])
def test_nothing_and_nothing_but_missing(column: list[None]) -> None:
    assert bucket_ids(pl.Series(column, dtype=pl.String), 5).tolist() == [0] * len(column)
