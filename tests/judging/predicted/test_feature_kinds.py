"""Which features are numbers, which are categories, and what decides it."""

from typing import Any

import polars as pl
import pytest

from helpers.predictions import predictions, segments
from postclick import InputError, judge
from postclick.judging.value_names import MISSING, OTHERS

FEW: Any = {"resamples": 40}


SIZES = {
    "words after numbers": [str(k / 8) if k < 60 else "large" for k in range(300)],
    "words after whole numbers": [str(k % 7) if k < 60 else "large" for k in range(300)],
    "numbers of another form": [f"{k % 9:03}" if k > 60 else str(k % 9) for k in range(300)],
    "long numbers": [str(2**53 + k % 5) for k in range(300)],
    "gaps": ["NA" if k % 5 == 0 else None if k % 7 == 0 else "1" for k in range(300)],
}


@pytest.mark.parametrize("rows", [7, 50, 300])
@pytest.mark.parametrize("case", SIZES)
def test_text_is_what_all_rows_show(case: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a schema would have it that lists the column as a category, in whatever pieces."""
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", rows)
    log = predictions(300).with_columns(size=pl.Series(SIZES[case], dtype=pl.String))
    schema = {"click": "click", "conversion": "conversion", "categorical": ["size"]}
    expected = segments(judge(log, by=["size"], schema=schema, **FEW), "size", "a", "cvr")
    assert len(expected) > 1
    for turned in (log, log.reverse()):
        found = judge(turned, by=["size"], **FEW)
        counts = {v: (one.rows, one.conversions, one.kind) for v, one in expected.items()}
        of = segments(found, "size", "a", "cvr")
        assert {v: (one.rows, one.conversions, one.kind) for v, one in of.items()} == counts
        assert list(of) == list(expected)


@pytest.mark.parametrize("text", [False, True])
def test_decimals_after_whole_numbers_are_numbers(
    text: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = pl.int_range(pl.len()).cast(pl.Float64)
    size = pl.when(size < 100).then(size).when(size < 120).then(None).otherwise(size / 8)
    log = predictions(300).with_columns(size=size)
    schema = {"click": "click", "conversion": "conversion", "numeric": ["size"]}
    expected = segments(judge(log, by=["size"], schema=schema, **FEW), "size", "a", "ctr")
    assert {one.kind for one in expected.values()} == {"numeric"}
    assert expected[MISSING].rows == 20
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 50)
    if text:  # with a number of another form, and one that stands for none
        written = (
            pl.when(pl.col("size") == 7)
            .then(pl.lit("07"))
            .otherwise(pl.col("size").cast(pl.String).fill_null("NA"))
        )
        log = log.with_columns(size=written)
    for turned in (log, log.reverse()):
        found = segments(judge(turned, by=["size"], **FEW), "size", "a", "ctr")
        assert {v: one.rows for v, one in found.items()} == {
            v: one.rows for v, one in expected.items()
        }


def test_whole_floats_are_categories_as_whole_numbers_are() -> None:
    log = predictions(300)
    whole = segments(judge(log, by=["position"], **FEW), "position", "a", "ctr")
    floats = log.with_columns(pl.col("position").cast(pl.Float32))
    assert segments(judge(floats, by=["position"], **FEW), "position", "a", "ctr") == whole
    many = log.with_columns(pl.lit(0.5).alias("p")).select(
        pl.all().repeat_by(400).explode()
    ).with_columns(item=pl.int_range(pl.len()).cast(pl.Float64))  # fmt: skip
    with pytest.raises(InputError, match="'item' has more than 100,000 values"):
        judge(many, by=["item"], **FEW)


def test_what_a_schema_calls_numeric_has_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    log = predictions(300).with_columns(size=pl.Series(SIZES["words after numbers"]))
    schema = {"click": "click", "conversion": "conversion", "numeric": ["size"]}
    with pytest.raises(InputError, match="'size' is numeric by the schema, and holds 'large'"):
        judge(log, by=["size"], schema=schema, **FEW)


@pytest.mark.parametrize("text", [False, True])
def test_dates_stand_in_the_order_of_time(text: bool) -> None:
    day = pl.date(2026, 1, 1) + pl.duration(days=(pl.int_range(pl.len()) ** 2) % 37)
    log = predictions(300).with_columns(day=pl.when(pl.int_range(pl.len()) % 9 > 0).then(day))
    if text:
        log = log.with_columns(pl.col("day").cast(pl.String))
    found = list(segments(judge(log, by=["day"], top=40, **FEW), "day", "a", "ctr"))
    assert found == [*sorted(found[:-1]), MISSING]
    assert len(found) == 1 + log["day"].drop_nulls().n_unique()
    some = list(segments(judge(log, by=["day"], top=5, **FEW), "day", "a", "ctr"))
    counts = log["day"].cast(pl.String).value_counts()
    counts = counts.sort(["count", "day"], descending=[True, False]).head(5)
    expected = [*sorted(counts["day"].drop_nulls()), MISSING, OTHERS]
    assert some == [one for one in expected if one != MISSING or None in counts["day"].to_list()]


@pytest.mark.parametrize("asked", ["by", "exposure"])
def test_text_like_a_missing_value_is_not_one(asked: str) -> None:
    names = pl.Series(["(missing)", None, "(others)", "a"] * 75)
    log = predictions(300).with_columns(shop=names)
    judged = judge(log, **{asked: "shop"}, **FEW)
    found = segments(judged, "shop", "a", "ctr")
    assert set(found) == {'"(missing)"', MISSING, '"(others)"', "a"}
    assert {one.rows for one in found.values()} == {75}


def test_a_schema_says_what_is_a_number() -> None:
    log = predictions(300).with_columns(none=pl.lit(None, dtype=pl.Float64))
    schema = {"click": "click", "conversion": "conversion", "numeric": ["position", "none"]}
    judged = judge(log, schema=schema, by=["position", "none"], **FEW)
    found = segments(judged, "position", "a", "ctr")
    assert {one.kind for one in found.values()} == {"numeric"}
    assert list(segments(judged, "none", "a", "ctr")) == [MISSING]
