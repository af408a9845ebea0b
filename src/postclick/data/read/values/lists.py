"""Multi-valued columns: lists, or text that writes them."""

import json
import re

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from postclick.data.read.values.bad_values import (
    BRACKETS,
    INFINITE,
    LENGTHS,
    NO_WEIGHT,
    UNREADABLE,
    BadValues,
    Found,
)
from postclick.data.read.values.canonical_text import ReadText, read_text, to_text
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.data.schema import MultiCategorical
from postclick.errors import InputError

_OPEN, _CLOSE = "[({", "])}"
_SPACED = r"^-?\d[\d.eE+-]*(?:\s+-?\d[\d.eE+-]*)+$"
_QUOTES = "\"'"
_ESCAPE = re.compile(r"\\x[0-9a-fA-F]{2}|\\.|\"", re.DOTALL)


def to_bag(
    column: pl.Series,
    weights: pl.Series | None,
    role: MultiCategorical,
    rules: ValueRules = DEFAULT_RULES,
) -> tuple[list[pl.Series], Found, ReadText]:
    """A multi-valued column as lists of text and, where it has weights, of numbers beside it; and
    what is odd about its elements.

    Missing and blank elements are left out, and so are all of a row whose lists differ in length.

    Raises:
        InputError: the column is neither lists nor text with a separator, or its elements are
            lists or records.

    >>> role = MultiCategorical(name="h", brackets=True)
    >>> to_bag(pl.Series("h", ['[7, "a b"]', "[]", None]), None, role)[0][0].to_list()
    [['7', 'a b'], [], []]
    """
    found: Found = []
    rules = rules.of_elements(role)
    lists = to_lists(column, role, rules)
    if role.separator is not None and not role.brackets and column.dtype == pl.String:
        found.append((BRACKETS, column.name, _written_as_lists(column)))
    if weights is not None:
        weights = to_lists(weights, role, rules)
        differ = lists.list.len().fill_null(0) != weights.list.len().fill_null(0)
        found.append((LENGTHS, column.name, BadValues.of(column, differ)))
        if bool(differ.any()):
            lists, weights = lists.set(differ, None), weights.set(differ, None)
    values, offsets = flatten(lists)
    read = read_text(values, rules, verbatim=role.verbatim)
    text = read.text
    keep = text.is_not_null()
    if not bool(keep.all()):  # a trailing separator, say
        offsets = np.concatenate(([0], np.cumsum(keep.to_numpy(), dtype=np.int64)))[offsets]
    bags = [rebuild(text.filter(keep), offsets)]
    if weights is not None:
        raw = flatten(weights)[0]
        absent = int((keep & (raw.is_null() | (raw.cast(pl.String) == ""))).sum())
        number, unreadable, infinite = to_number(raw, rules)
        found.append((NO_WEIGHT, raw.name, BadValues(absent, ("missing",))))
        found += [(UNREADABLE, raw.name, unreadable), (INFINITE, raw.name, infinite)]
        bags.append(rebuild(number.filter(keep).fill_null(0.0), offsets))
    if role.max_length is not None:
        bags = [bag.list.head(role.max_length) for bag in bags]
    return bags, found, read


def to_lists(
    column: pl.Series, role: MultiCategorical, rules: ValueRules = DEFAULT_RULES
) -> pl.Series:
    """A multi-valued column as lists: lists as they are, text as its role says.

    Raises:
        InputError: the column is text and its role says neither separator nor brackets, or it is
            neither list nor text.
    """
    kind = column.dtype
    if isinstance(kind, pl.List):
        return column
    if isinstance(kind, pl.Array):
        return column.arr.to_list()
    if kind == pl.Null:
        return pl.Series(column.name, [[]] * len(column), dtype=pl.List(pl.String))
    if kind in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    if role.brackets:
        return split_brackets(to_text(column, rules, verbatim=True), role.separator or ",")
    if role.separator is None:
        raise InputError(
            f"multi column {column.name!r} holds {kind}, not lists: name the separator that "
            "splits its text, or set brackets: true where it is written like [7, 20]"
        )
    return to_text(column, rules, verbatim=True).str.split(role.separator)


def split_brackets(text: pl.Series, separator: str = ",") -> pl.Series:
    """Text such as [7, 20], ["a", "b, c"] or ('a', 'b') as lists of text, yet to be stripped.

    A separator within quotes belongs to the element, and backslashes are read as in JSON or Python.

    >>> split_brackets(pl.Series(["[7, 20]", '["a", "b, c"]', "[]", "9"])).to_list()
    [['7', ' 20'], ['a', 'b, c'], [], ['9']]
    """
    inner = text.str.strip_chars().str.replace(rf"^[{_escaped(_OPEN)}]\s*", "")
    inner = inner.str.replace(rf"\s*[{_escaped(_CLOSE)}]$", "")
    # As numpy prints arrays and its own numbers.
    inner = inner.str.replace_all(r"\bnp\.\w+\(([^()]*)\)", "${1}")
    spaced = inner.str.contains(_SPACED).fill_null(False)
    if bool(spaced.any()):
        inner = inner.set(spaced, None).fill_null(inner.str.replace_all(r"\s+", separator))
    split = inner.str.split(separator)
    quoted = inner.str.contains(rf"(?:^|{_escaped(separator)})\s*[{_QUOTES}]").fill_null(False)
    if bool(quoted.any()):
        one = rf'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[^{_escaped(separator)}"\']+'
        split = split.zip_with(~quoted, _unquoted(inner.str.extract_all(one)))
    empty = (inner.str.strip_chars() == "").fill_null(False)
    if bool(empty.any()):  # no element, not a blank one
        split = split.zip_with(~empty, pl.Series([[]], dtype=pl.List(pl.String)))
    return split


def _unquoted(lists: pl.Series) -> pl.Series:
    """Elements without the quotes around them; blanks between quoted ones are none."""
    flat, offsets = flatten(lists)
    bare = flat.str.strip_chars()
    kept = (bare != "").to_numpy()
    escaped = bare.str.contains(rf"^[{_QUOTES}].*\\")
    plain = bare.str.replace("(?s)^(?:\"(.*)\"|'(.*)')$", "${1}${2}")
    if bool(escaped.any()):
        values = [_unescaped(text) for text in bare.filter(escaped).to_list()]
        plain = plain.clone().scatter(escaped.arg_true(), pl.Series(values, dtype=pl.String))
    ends = np.concatenate(([0], np.cumsum(kept, dtype=np.int64)))[offsets]
    return rebuild(plain.filter(pl.Series(kept)), ends)


def _unescaped(quoted: str) -> str:
    """What a text in quotes with backslashes means, as JSON or Python writes it."""
    inner = quoted[1:-1] if quoted[-1] == quoted[0] else quoted
    try:
        value = json.loads(f'"{_ESCAPE.sub(_as_in_json, inner)}"')
        value.encode()  # half of a surrogate pair is no text
    except ValueError:
        return inner
    return str(value)


def _as_in_json(escape: re.Match[str]) -> str:
    text = escape[0]
    if text == '"':
        return '\\"'
    if text == "\\'":
        return "'"
    return f"\\u00{text[2:]}" if text[:2] == "\\x" else text


def _escaped(characters: str) -> str:
    return "".join(f"\\{one}" for one in characters)


def _written_as_lists(column: pl.Series) -> BadValues:
    """Rows whose text has the brackets or quotes of a list, which no separator takes off.

    Parentheses alone are no list of Python's, which writes (7,): "(none)" is a value.
    """
    pattern = r"^\s*(?:\[.*\]|\((?:.*[,;|].*)?\)|\{.*\}|\".*\"|'.*')\s*$"
    return BadValues.of(column, column.str.contains(pattern).fill_null(False))


def flatten(lists: pl.Series) -> tuple[pl.Series, npt.NDArray[np.int64]]:
    """All elements one after the other, and n + 1 offsets; a null list is an empty one.

    >>> values, offsets = flatten(pl.Series("h", [["a", "b"], None, ["c"]]))
    >>> values.to_list(), offsets.tolist()
    (['a', 'b', 'c'], [0, 2, 2, 3])
    """
    offsets = np.zeros(len(lists) + 1, dtype=np.int64)
    np.cumsum(lists.list.len().fill_null(0).to_numpy(), out=offsets[1:])
    if lists.null_count():  # below a null there may be values, which `explode` would give
        lists = lists.drop_nulls()
    return lists.explode(empty_as_null=False, keep_nulls=False), offsets


def rebuild(values: pl.Series, offsets: npt.NDArray[np.int64]) -> pl.Series:
    """The inverse of `flatten`."""
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), values.rechunk().to_arrow())
    column = pl.from_arrow(lists)
    assert isinstance(column, pl.Series)
    return column.alias(values.name)
