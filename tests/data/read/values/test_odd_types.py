"""Types and values that few logs have: read right, or refused with the name of the column."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from postclick.data.lookup.vocabulary_lookup import VocabularyLookup
from postclick.data.read.opening import open_log
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.labels import to_label
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError

SENTINELS = [
    pl.Series("at", [2**62, None]).cast(pl.Datetime("us")),
    pl.Series("at", [2**63 - 1, None]).cast(pl.Datetime("ms")),  # PostgreSQL's infinity
    pl.Series("at", [-(2**63) + 1]).cast(pl.Datetime("us", "UTC")),
    pl.Series("at", [3_000_000]).cast(pl.Date),
    pl.Series("at", [-(2**31)]).cast(pl.Date),
]


def test_half_floats_keep_their_fraction() -> None:
    halves = [2.5, 0.1, 65504.0, -0.0, 6e-8, None, float("inf")]
    column = pl.Series("size", halves, dtype=pl.Float16)
    text = ["2.5", "0.1", "65504", "0", "0.00000006", None, "inf"]
    assert to_text(column).to_list() == text
    for value in text[:5]:
        assert np.float16(value) in column.to_list()
    values = VocabularyLookup(pl.Series(["2.5", "0.1", "0"]))
    assert values.ids(column).tolist() == [1, 2, 0, 3, 0, 0, 0]


@pytest.mark.parametrize("column", SENTINELS)
@pytest.mark.parametrize("read", [to_text, to_label])
def test_dates_of_no_calendar(column: pl.Series, read: Callable[[pl.Series], Any]) -> None:
    with pytest.raises(InputError, match="'at' has 1 dates before the year 1 or after 9999"):
        read(column)


def test_the_first_and_the_last_date() -> None:
    days = pl.Series([date(1, 1, 1), date(9999, 12, 31)])
    assert to_text(days).to_list() == ["0001-01-01", "9999-12-31"]
    last = datetime(9999, 12, 31, 23, 59, 59, 999_999)
    moments = pl.Series([datetime(1, 1, 1), datetime(1969, 12, 31, 23), last])
    expected = ["0001-01-01", "1969-12-31T23:00:00", "9999-12-31T23:59:59.999999"]
    assert to_text(moments).to_list() == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.000000000000000056e-01", "0.1"),  # numpy.savetxt
        ("1.2345678900000001e05", "123456.789"),
        ("0.000000000000000000e+00", "0"),
        ("0e00", "0"),
        ("-0E+0", "0"),
        ("0e12", "0e12"),  # an id
        ("0.10000000000000001", "0.10000000000000001"),  # may be a decimal of so many digits
    ],
)
def test_floats_with_an_exponent(text: str, value: str) -> None:
    assert to_text(pl.Series([text])).to_list() == [value]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [object()], dtype=pl.Object),
        pl.Series("x", [b"a"]),
        pl.Series("x", [{"a": 1}]),
        pl.Series("x", [[1]]),
        pl.Series("x", [date(2026, 1, 5)]),
        pl.from_arrow(pa.table({"x": pa.array(["{}"], pa.json_())}))["x"],  # type: ignore[index]
    ],
)
def test_what_is_no_number(column: pl.Series) -> None:
    with pytest.raises(InputError, match="column 'x' holds .*, not numbers"):
        to_number(column)


def test_lists_of_dictionaries_in_parquet(tmp_path: Path) -> None:
    """pyarrow does not read them over the ends of row groups."""
    items = pa.array(["a", "b", "c"] * 20).dictionary_encode()
    lists = pa.ListArray.from_arrays(pa.array(range(0, 61, 2), pa.int32()), items)
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"tags": lists}), path, row_group_size=7)
    frame = pl.concat(open_log(path).frames(["tags"]))
    assert frame["tags"].cast(pl.List(pl.String)).to_list() == lists.to_pylist()


def test_what_no_rule_calls_missing_is_a_value_in_a_file_too(tmp_path: Path) -> None:
    """As in Parquet: the schema tells, not the reader of the file."""
    path = tmp_path / "log.csv"
    path.write_text('shop,x\nNULL,1\nnan,1\n,1\n"",1\n?,1\n')
    (frame,) = open_log(path).frames(["shop"])
    assert to_text(frame["shop"]).to_list() == [None, None, None, None, "?"]
    rules = ValueRules(missing=("?",))
    assert to_text(frame["shop"], rules).to_list() == ["NULL", "nan", None, None, None]
