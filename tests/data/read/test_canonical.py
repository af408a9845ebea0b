from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from postclick.data.read.canonical import KEY, TIME, Canonicalizer, Issues, stored_names
from postclick.data.read.opening import open_log
from postclick.data.read.values import bad_values as v
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.labels import to_label
from postclick.data.read.values.lists import flatten, rebuild
from postclick.data.read.values.numbers import to_number
from postclick.data.schema import LogSchema
from postclick.errors import InputError


def convert(frame: pl.DataFrame, **schema: Any) -> tuple[pl.DataFrame, Issues]:
    issues = Issues()
    full = {"click": "click", "conversion": "buy", "categorical": ["shop"], **schema}
    base = pl.DataFrame({"click": [0] * frame.height, "buy": [0] * frame.height})
    base = base.with_columns(shop=pl.lit("s"))
    frame = base.with_columns(frame.get_columns())
    return Canonicalizer(LogSchema.parse(full), frame.columns).convert(frame, issues), issues


@pytest.mark.parametrize(
    "values",
    [
        [0, 1],
        [0.0, 1.0],
        [False, True],
        ["0", "1"],
        ["0.0", "1.0"],
        ["false", "True"],
        [" 0", "1 "],
    ],
)
def test_labels_in_every_writing(values: list[Any]) -> None:
    label, bad = to_label(pl.Series("click", values))
    assert label.to_list() == [0, 1]
    assert label.dtype == pl.Int8
    assert bad.rows == 0


@pytest.mark.parametrize(
    ("values", "rows", "examples"),
    [
        ([0, 2, 1, -1, 2], 3, ("2", "-1")),
        ([0.5, 1.0, float("nan")], 2, ("0.5", "nan")),
        (["1", "yes", None, "yes"], 3, ("'yes'", "missing")),
        ([datetime(2020, 1, 1)], 1, ("datetime.datetime(2020, 1, 1, 0, 0)",)),
    ],
)
def test_other_labels_are_null_and_counted(
    values: list[Any], rows: int, examples: tuple[str, ...]
) -> None:
    label, bad = to_label(pl.Series("click", values))
    assert label.null_count() == rows
    assert (bad.rows, bad.examples) == (rows, examples)


def test_categories_agree_between_csv_and_parquet(tmp_path: Path) -> None:
    log = pl.DataFrame(
        {
            "click": [0, 1, 0, 0],
            "buy": [0, 1, 0, 0],
            "whole": [3.0, None, -2.0, 1e15],
            "real": [0.1, 2.5, 1e-7, 3.0],
            "number": [1, 2, None, 4],
            "text": ["NA", "", "nan", "1.50"],
            "flag": [True, False, None, True],
            "price": [1.5, None, 2.0, -3.25],
        }
    )
    log.write_csv(tmp_path / "log.csv")
    log.write_parquet(tmp_path / "log.parquet")
    schema = LogSchema.parse(
        {
            "click": "click",
            "conversion": "buy",
            "categorical": ["whole", "real", "number", "text", "flag"],
            "numeric": ["price"],
        }
    )
    frames = []
    for name in ("log.csv", "log.parquet"):
        source = open_log(tmp_path / name)
        canonical = Canonicalizer(schema, source.columns)
        issues = Issues()
        frames += [canonical.convert(f, issues) for f in source.frames(canonical.reads)]
        assert not issues.rows
    assert frames[0].equals(frames[1])
    assert frames[0]["whole"].to_list() == ["3", None, "-2", "1000000000000000"]
    assert frames[0]["text"].to_list() == ["NA", None, None, "1.5"]


def test_numbers() -> None:
    text = pl.Series(
        "x", ["1", " 2.5 ", "-1e3", "NA", "n/a", "", None, "NaN", "ten", "1,5", "-inf"]
    )
    number, unreadable, infinite = to_number(text)
    assert number.to_list() == [1.0, 2.5, -1000.0, *[None] * 8]
    assert (unreadable.rows, unreadable.examples) == (2, ("'ten'", "'1,5'"))
    assert (infinite.rows, infinite.examples) == (1, ("'-inf'",))
    number, _, infinite = to_number(
        pl.Series("x", [1, float("inf"), float("nan"), None], strict=False)
    )
    assert number.to_list() == [1.0, None, None, None]
    assert infinite.rows == 1
    assert to_number(pl.Series("x", [True, False]))[0].to_list() == [1.0, 0.0]


@pytest.mark.parametrize("values", [[[1], [2]], [datetime(2020, 1, 1)] * 2])
def test_kinds_that_cannot_be_read_name_the_column(values: list[Any]) -> None:
    with pytest.raises(InputError, match="column 'x' holds"):
        to_number(pl.Series("x", values))
    with pytest.raises(InputError, match="column 'x' holds List"):
        to_text(pl.Series("x", [[1]]))


def test_lists_from_text_and_lists() -> None:
    text = pl.Series("h", ["a|b", "", None, "c|", "|d||e", "3.0|3"])
    frame, issues = convert(text.to_frame(), multi=[{"name": "h", "separator": "|"}])
    expected = [["a", "b"], [], [], ["c"], ["d", "e"], ["3", "3"]]
    assert frame["h"].to_list() == expected
    lists = pl.Series("h", [["a", "b"], [], None, ["c", None], ["", "d", "e"], ["3.0", "3"]])
    assert convert(lists.to_frame(), multi=["h"])[0]["h"].to_list() == expected
    numbers = pl.Series("h", [[1, 2], [3]], dtype=pl.List(pl.Float64))
    assert convert(numbers.to_frame(), multi=["h"])[0]["h"].to_list() == [["1", "2"], ["3"]]
    arrays = pl.Series("h", [[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2))
    assert convert(arrays.to_frame(), multi=["h"])[0]["h"].to_list() == [["1", "2"], ["3", "4"]]
    assert not issues.rows


def test_long_lists_are_cut_with_their_weights() -> None:
    log = pl.DataFrame({"h": ["|a|b|c", "d", ""], "w": ["9|1|2|3", "4.5", ""]})
    bag = {"name": "h", "weights": "w", "separator": "|", "max_length": 2}
    frame, issues = convert(log, multi=[bag])
    assert frame["h"].to_list() == [["a", "b"], ["d"], []]
    assert frame["h__weights"].to_list() == [[1.0, 2.0], [4.5], []]
    assert not issues.rows


def test_weights_that_do_not_fit() -> None:
    log = pl.DataFrame({"h": ["a|b", "a|b", "a|b", "c"], "w": ["1", "1|x", "1|", None]})
    frame, issues = convert(log, multi=[{"name": "h", "weights": "w", "separator": "|"}])
    assert issues.rows == {(v.LENGTHS, "h"): 2, (v.NO_WEIGHT, "w"): 1, (v.UNREADABLE, "w"): 1}
    assert frame["h"].to_list() == [[], ["a", "b"], ["a", "b"], []]
    assert frame["h__weights"].to_list() == [[], [1.0, 0.0], [1.0, 0.0], []]


def test_text_without_a_separator() -> None:
    with pytest.raises(InputError, match="'h' holds String, not lists: name the separator"):
        convert(pl.DataFrame({"h": ["a b"]}), multi=["h"])


def test_truth_is_checked_and_may_be_absent() -> None:
    truth = {"ctr": "p", "cvr": "q", "conversion": "would"}
    log = pl.DataFrame({"p": [0.5, 1.2, None], "would": [0, 1, 2]})
    frame, issues = convert(log, truth=truth)
    assert "true_cvr" not in frame.columns
    assert frame["true_ctr"].to_list() == [0.5, 1.2, None]
    assert issues.rows == {
        (v.TRUTH_RANGE, "p"): 1,
        (v.NO_TRUTH, "p"): 1,
        (v.TRUTH_RANGE, "would"): 1,
    }


def test_keys_and_times() -> None:
    log = pl.DataFrame({"u": [1.0, 1.0, 2.0], "t": ["2020-01-01", "2020-01-02 12:00:00", "x"]})
    frame, issues = convert(log, key=["u", "shop"], time="t")
    keys = frame[KEY].to_list()
    assert keys[0] == keys[1] != keys[2]
    assert (
        keys
        == convert(log.with_columns(u=pl.Series(["1", "1", "2"])), key=["u", "shop"])[0][
            KEY
        ].to_list()
    )
    assert issues.rows[v.UNREADABLE_TIME, "t"] == 1
    first, second, _ = frame[TIME].to_list()
    assert second - first == 36 * 3600 * 1e6
    dates = log.with_columns(t=pl.Series([datetime(2020, 1, 1)] * 3))
    assert convert(dates, time="t")[0][TIME].to_list() == [first] * 3
    numbers = log.with_columns(t=pl.Series([3, 1, 2]))
    assert convert(numbers, time="t")[0][TIME].to_list() == [3.0, 1.0, 2.0]


def test_scoring_needs_no_labels() -> None:
    schema = LogSchema.parse(
        {"click": "click", "conversion": "buy", "categorical": ["shop"], "time": "t"}
    )
    canonical = Canonicalizer(schema, ["shop", "other"], labels=False)
    assert canonical.reads == ("shop",)
    assert canonical.missing == ()
    assert canonical.convert(pl.DataFrame({"shop": ["a"]}), Issues()).columns == ["shop"]
    assert Canonicalizer(schema, ["shop"]).missing == ("click", "buy", "t")


@pytest.mark.parametrize("name", ["click", "true_cvr", "__key", "price__missing"])
def test_names_that_prepared_data_uses(name: str) -> None:
    schema = LogSchema.parse(
        {"click": "c", "conversion": "v", "categorical": [name], "numeric": ["price"]}
    )
    with pytest.raises(InputError, match=f"'{name}' is used by prepared data itself: rename"):
        stored_names(schema)


def test_issues_add_up() -> None:
    a, b = Issues(), Issues()
    for issues, value in ((a, "one"), (b, "two")):
        frame = pl.DataFrame({"click": [0], "buy": [0], "x": [value]})
        schema = LogSchema.parse({"click": "click", "conversion": "buy", "numeric": ["x"]})
        Canonicalizer(schema, frame.columns).convert(frame, issues)
    a.merge(b)
    assert a.rows == {(v.UNREADABLE, "x"): 2}
    assert a.examples[v.UNREADABLE, "x"] == ("'one'", "'two'")


def test_flatten_and_rebuild_no_rows() -> None:
    for lists in (pl.Series("h", [], dtype=pl.List(pl.String)), pl.Series("h", [["a"], [], ["b"]])):
        assert rebuild(*flatten(lists)).to_list() == lists.to_list()
