"""A group's hash, held against an implementation of its own."""

import hashlib
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import postclick
from postclick.data.read.values.group_hash import read_group, text_hash
from postclick.errors import InputError

_MODULUS = 1 << 64


def expected(text: str | None) -> int:
    """The documented hash, one text at a time and in whole numbers."""
    if text is None:
        return 0
    digest = hashlib.new("blake2b", text.encode("utf-8"), digest_size=8).digest()
    value = sum(byte << (8 * k) for k, byte in enumerate(digest))
    return (value if value < _MODULUS // 2 else value - _MODULUS) or 1


TEXTS = ["7", "", "a", None, "Größe", "x" * 5000, "7", "\x00", "7 ", "日本", None, "-1"]


def test_texts() -> None:
    found = text_hash(pl.Series(TEXTS))
    assert found.dtype == np.int64
    assert found.tolist() == [expected(text) for text in TEXTS]
    assert len(set(found.tolist())) == len(set(TEXTS))


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_nothing_known(values: list[None]) -> None:
    assert text_hash(pl.Series(values, dtype=pl.String)).tolist() == [0] * len(values)


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pl.Series([7, -3, None], dtype=pl.Int64), ["7", "-3", None]),
        (pl.Series([7, 3], dtype=pl.UInt8), ["7", "3"]),
        (pl.Series([7.0, 2.5, float("nan"), None]), ["7", "2.5", None, None]),
        (pl.Series([True, False]), ["true", "false"]),
        (pl.Series(["7.0", "7", "", "NULL", "NA"]), ["7", "7", None, None, "NA"]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["b", "a"]),
        (pl.Series([date(2020, 1, 31)]), ["2020-01-31"]),
        (pl.Series([datetime(2020, 1, 31, 12)]), ["2020-01-31T12:00:00"]),
    ],
)
def test_every_type_is_hashed_as_its_canonical_text(column: pl.Series, texts: list[Any]) -> None:
    assert text_hash(read_group(column).text).tolist() == [expected(text) for text in texts]


@pytest.mark.parametrize("values", [[[1], [2, 3]], [{"a": 1}], [b"x"]])
def test_what_is_no_single_value(values: list[Any]) -> None:
    with pytest.raises(InputError, match="group column 'user' holds .* take group out") as caught:
        read_group(pl.Series("user", values))
    assert "\n" not in str(caught.value)


def test_a_hash_of_0_is_not_taken_for_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zero:
        def __init__(self, data: bytes, digest_size: int) -> None:
            assert digest_size == 8

        def digest(self) -> bytes:
            return bytes(8)

    monkeypatch.setattr("postclick.data.read.values.group_hash.blake2b", Zero)
    assert text_hash(pl.Series(["a", None])).tolist() == [1, 0]


def test_another_process_says_the_same() -> None:
    code = (
        "import polars as pl; from postclick.data.read.values.group_hash import text_hash; "
        "print(text_hash(pl.Series(['7', 'Größe'])).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(postclick.__file__).parents[1]), "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert done.stdout.strip() == str([expected("7"), expected("Größe")])
