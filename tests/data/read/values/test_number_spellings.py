"""Numbers in several writings are told, in any chunks."""

from itertools import permutations
from typing import Any

import polars as pl
import pytest

from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.values.canonical_text import read_text
from postclick.data.read.values.number_spellings import NumberSpellings
from postclick.data.schema import LogSchema


@pytest.mark.parametrize(
    ("values", "rows", "example"),
    [
        (["10.1", "10.10", "10.10", "9.50", "3.0", "3"], 2, "10.10"),
        (["1e03", "1000", "1000", "2000"], 1, "1e03"),
        (["1e3", "1e03"], 1, "1e3"),
        (["2.50", "3.10", "3.10"], 0, None),
        (["3.0", "3", "TRUE", "true", " a", "a"], 0, None),
    ],
)
def test_what_is_told(values: list[str], rows: int, example: str | None) -> None:
    found = read_text(pl.Series(values)).spellings
    assert (found.rows, next(iter(found.examples), None)) == (rows, example)


def test_chunks_in_any_order() -> None:
    chunks = [["10.1", "7"], ["10.10", "10.10"], ["1e5"], ["10.100", "2.5"]]
    expected = None
    for order in permutations(chunks):
        spellings = NumberSpellings()
        for chunk in order:
            spellings.merge(read_text(pl.Series(chunk)).spellings)
        expected = expected or (spellings.rows, spellings.examples)
        assert (spellings.rows, spellings.examples) == expected == (3, ("10.10", "10.100"))


def issues(frame: pl.DataFrame, **roles: Any) -> Issues:
    found = Issues()
    schema = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["c2"], **roles})
    base = pl.DataFrame(
        {"c": [0] * frame.height, "v": [0] * frame.height, "c2": ["x"] * frame.height}
    )
    whole = base.hstack(frame)
    Canonicalizer(schema, whole.columns).convert(whole, found)
    return found


def test_lists_and_groups_are_watched_as_categories_are() -> None:
    values = ["NA", "10.1", "10.10"]
    of_list = issues(pl.DataFrame({"h": [[v] for v in values]}), multi=["h"])
    of_group = issues(pl.DataFrame({"g": values}), group="g")
    for found, name in ((of_list, "h"), (of_group, "g")):
        assert found.like_missing == {(name, "NA"): 1} and found.spellings[name].rows == 1
    large = pl.DataFrame({"g": [2.0**60, 2.0**60 + 256]})
    assert issues(large, group="g").rounded["g"].rows == 2
    assert issues(large.select(pl.concat_list("g").alias("h")), multi=["h"]).rounded["h"].rows == 2


def test_a_group_and_a_key_follow_the_feature() -> None:
    frame = pl.DataFrame({"g": ["10.1", "10.10"]})
    schema = {"click": "c", "conversion": "v", "group": "g", "key": "g"}
    log = pl.DataFrame({"c": [0, 0], "v": [0, 0]}).hstack(frame)
    for verbatim in (False, True):
        feature = {"name": "g", "verbatim": verbatim}
        parsed = LogSchema.parse({**schema, "categorical": [feature]})
        chunk = Canonicalizer(parsed, log.columns).convert(log, Issues())
        expected = 2 if verbatim else 1
        assert [chunk[name].n_unique() for name in ("g", "group_hash", "__key")] == [expected] * 3
