"""Lists in every writing."""

from typing import Any

import polars as pl
import pytest

from postclick.data.read.values.bad_values import BRACKETS
from postclick.data.read.values.lists import to_bag
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import MultiCategorical
from postclick.errors import InputError


def bag(column: pl.Series, **role: Any) -> list[Any]:
    bags, *_ = to_bag(column, None, MultiCategorical(name="h", **role))
    return [one.to_list() for one in bags]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("7|20|7", {"separator": "|"}),
        ("7, 20, 7", {"separator": ","}),
        (" 7 ,20,7.0,", {"separator": ","}),
        ("[7, 20, 7]", {"brackets": True}),
        ("[7,20,7]", {"brackets": True}),
        ("(7; 20; 7)", {"brackets": True, "separator": ";"}),
        ('["7", "20", "7"]', {"brackets": True}),
        ("['7', '20', '7']", {"brackets": True}),
        ('"7","20","7"', {"brackets": True}),
        ("[7, null, 20, \\N, 7]", {"brackets": True}),
        ("[ 7 20  7]", {"brackets": True}),
        ("[np.int64(7), np.float64(20.0), np.str_('7')]", {"brackets": True}),
    ],
)
def test_a_list_in_any_writing(text: str, role: dict[str, Any]) -> None:
    assert bag(pl.Series([text]), **role) == [[["7", "20", "7"]]]


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64, pl.String])
def test_a_list_column(kind: pl.DataType) -> None:
    column = pl.Series([["7", "20"], [], None]).cast(pl.List(kind))
    assert bag(column) == [[["7", "20"], [], []]]
    assert bag(column, separator="|", brackets=True) == [[["7", "20"], [], []]]


def test_separators_within_quotes() -> None:
    column = pl.Series(['["a, b", "c"]', '["say \\"x\\"", ""]', "[]", "['it''s']", None])
    assert bag(column, brackets=True)[0][:3] == [["a, b", "c"], ['say "x"'], []]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (r'["\u65e5\u672c", "a"]', ["日本", "a"]),  # as json.dumps writes it
        (r"""['it\'s', "it's", '"x"']""", ["it's", "it's", '"x"']),  # as Python does
        (r'["C:\dir", "a\\b"]', ["C:\\dir", "a\\b"]),
        (r'["half \ud83d"]', [r"half \ud83d"]),
        ("""["'a'"]""", ["'a'"]),
    ],
)
def test_quoted_text_means_what_it_does_in_json_or_python(text: str, items: list[str]) -> None:
    assert bag(pl.Series([text]), brackets=True) == [[items]]


def test_no_elements_and_one_blank_element() -> None:
    """So that lists of no elements are as long as their weights, in any writing."""
    ids, weights = pl.Series(["[]", " [ ] ", "[7]"]), pl.Series("w", [[], [], [0.5]])
    role = MultiCategorical(name="h", brackets=True, weights="w")
    bags, found, _ = to_bag(ids, weights, role)
    assert [one.to_list() for one in bags] == [[[], [], ["7"]], [[], [], [0.5]]]
    assert not any(bad.rows for _, _, bad in found)


def test_numbers_in_brackets_have_points_in_files_with_decimal_commas() -> None:
    text = pl.Series(["[1.0, 2.50]"])
    role = MultiCategorical(name="h", brackets=True)
    bags, *_ = to_bag(text, None, role, ValueRules(decimal=","))
    assert bags[0].to_list() == [["1", "2.5"]]


def test_an_apostrophe_is_no_quote() -> None:
    assert bag(pl.Series(["[rock'n'roll, o'neil]"]), brackets=True) == [[["rock'n'roll", "o'neil"]]]


def test_weights_beside_lists_in_brackets() -> None:
    ids, weights = pl.Series(["[7, 20]", "[]"]), pl.Series("w", ["[0.5, 2]", "[]"])
    bags, *_ = to_bag(ids, weights, MultiCategorical(name="h", brackets=True, weights="w"))
    assert [one.to_list() for one in bags] == [[["7", "20"], []], [[0.5, 2.0], []]]


@pytest.mark.parametrize("text", ["[7, 20, 7]", '["a","b"]', "('a', 'b')", '"a","b"', "{1,2}"])
def test_brackets_that_no_separator_takes_off_are_found(text: str) -> None:
    _, found, _ = to_bag(pl.Series([text, "7,8"]), None, MultiCategorical(name="h", separator=","))
    assert {kind: bad.rows for kind, _, bad in found if bad.rows} == {BRACKETS: 1}


@pytest.mark.parametrize("text", ["(no genres listed)", "a (b)", "7,8", "o'neil"])
def test_a_value_with_parentheses_is_no_list(text: str) -> None:
    _, found, _ = to_bag(pl.Series([text, "7,8"]), None, MultiCategorical(name="h", separator=","))
    assert not any(bad.rows for _, _, bad in found)


def test_text_without_a_separator() -> None:
    with pytest.raises(InputError, match=r"separator .* or set brackets: true"):
        bag(pl.Series(["[7, 20]"]))
