from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.encode.vocabulary import Vocabulary, VocabularyCounter, file_name
from postclick.errors import InputError

VALUES = st.lists(st.none() | st.text(max_size=3), max_size=60)


def counted(*chunks: list[str | None]) -> VocabularyCounter:
    counter = VocabularyCounter()
    for chunk in chunks:
        counter.add(pl.Series(chunk, dtype=pl.String))
    return counter


def test_ids_by_falling_count_then_value() -> None:
    vocabulary = Vocabulary.fit(counted(["b", "a", "c"], ["c", "b", "d", None]).counts(), 1)
    assert vocabulary.table.rows() == [("b", 1, 2), ("c", 2, 2), ("a", 3, 1), ("d", 4, 1)]
    assert vocabulary.table.dtypes == [pl.String, pl.Int32, pl.Int64]
    assert vocabulary.size == 5


def test_rare_missing_and_unseen_share_id_0() -> None:
    vocabulary = Vocabulary.fit(counted(["a"] * 3 + ["b"] * 2 + ["c"]).counts(), 2)
    ids = vocabulary.encode(pl.Series(["c", "b", "z", None, "a", ""]))
    assert ids.tolist() == [0, 2, 0, 0, 1, 0]
    assert ids.dtype == np.int32
    assert vocabulary.encode(pl.Series([], dtype=pl.String)).tolist() == []
    assert vocabulary.encode(pl.Series([None, None])).tolist() == [0, 0]


@given(VALUES, st.integers(0, 60), st.integers(1, 3))
def test_against_a_plain_dictionary(values: list[str | None], cut: int, floor: int) -> None:
    counter = counted(values[:cut], values[cut:])
    vocabulary = Vocabulary.fit(counter.counts(), floor)
    known = {v: values.count(v) for v in values if v is not None and values.count(v) >= floor}
    order = sorted(known, key=lambda v: (-known[v], v.encode()))
    expected = {v: k + 1 for k, v in enumerate(order)}
    asked = [*values, "never"]
    ids = vocabulary.encode(pl.Series(asked, dtype=pl.String)).tolist()
    assert ids == [expected.get(v, 0) if v is not None else 0 for v in asked]


@given(VALUES, VALUES)
def test_merging_counters(first: list[str | None], second: list[str | None]) -> None:
    merged, other = counted(first), counted(second)
    merged.merge(other.counts())
    whole = counted(first, second)
    assert merged.counts().sort("value").equals(whole.counts().sort("value"))


def test_codes_stay_valid_and_map_to_ids() -> None:
    counter = VocabularyCounter()
    chunks = [["b", None, "a"], ["c", "a"], ["z", "b"]]
    masks = [np.ones(3, np.bool_), np.ones(2, np.bool_), np.array([False, True])]
    codes = [counter.add(pl.Series(c), m) for c, m in zip(chunks, masks, strict=True)]
    vocabulary = Vocabulary.fit(counter.counts(), 1)
    ids = counter.ids_of_codes(vocabulary)
    assert "z" not in vocabulary.table["value"]
    for chunk, code in zip(chunks, codes, strict=True):
        mapped = [0 if k is None else int(ids[k]) for k in code.to_list()]
        assert mapped == vocabulary.encode(pl.Series(chunk)).tolist()


def test_save_and_load(tmp_path: Path) -> None:
    vocabulary = Vocabulary.fit(counted(["ä", "b", "b", "日本"]).counts(), 1)
    for name in ("shop", "Weird / Name"):
        vocabulary.save(tmp_path, name)
        assert Vocabulary.load(tmp_path, name).table.equals(vocabulary.table)
    assert pl.read_parquet(tmp_path / "shop.parquet").columns == ["value", "id", "count"]
    empty = Vocabulary.fit(counted([None]).counts(), 1)
    empty.save(tmp_path, "empty")
    assert Vocabulary.load(tmp_path, "empty").size == 1


def test_damaged_vocabularies(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing or damaged"):
        Vocabulary.load(tmp_path, "none")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match="missing or damaged"):
        Vocabulary.load(tmp_path, "bad")
    pl.DataFrame({"value": ["a"]}).write_parquet(tmp_path / "odd.parquet")
    with pytest.raises(InputError, match="is not a vocabulary"):
        Vocabulary.load(tmp_path, "odd")


def test_file_names_are_safe_and_different() -> None:
    names = ["user", "User", "a/b", "a_b", "a b", "..", ".", "x" * 300, "x" * 301, "日本", "a.b"]
    files = [file_name(name) for name in names]
    assert len({f.lower() for f in files}) == len(names)
    assert not any("/" in f or f.startswith(".") for f in files)
    assert max(map(len, files)) < 120
