"""How text writes lists: what separates their elements, and whether brackets are around them."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from postclick.data.read.values.lists import flatten, split_brackets

# What may separate the elements of a list written as text.
SEPARATORS = ("|", ";", "\x01", "\x02", "\x03", "^", ",", " ", "#", ":", "/")
VECTOR_SEPARATORS = (",", "|", ";", "\t", "\x01", " ")
LIST_VALUES = 20  # different texts from which a separator is looked for
MOSTLY = 0.9  # of the different texts, which have to be in brackets
MIN_SIZE = 4  # numbers of a vector
LOOKED_AT = 1000  # different texts whose elements are looked at for a vector
_IN_BRACKETS = r"^\s*(?:\[.*\]|\(.*,.*\)|\{.*,.*\})\s*$"
_AROUND = r"^\s*(?:\[.*\]|\(.*\)|\{.*\}|\".*\"|'.*')\s*$"
_NESTED = r"^\s*(?:[\[(]\s*[\[({].*|\{[^{}]*:.*\})\s*$"
_GROUPED = r"^-?\d{1,3}(?:,\d{3})*(?:\.\d+)?$"


@dataclass(frozen=True)
class ListForm:
    """How a column writes lists.

    Attributes:
        separator: between elements; None for the comma within brackets, or a list column.
        brackets: whether brackets or quotes are to be taken off.
        size: numbers in each, if they are vectors.
        odd: rows with brackets or quotes where others have none.
    """

    separator: str | None = None
    brackets: bool = False
    size: int | None = None
    odd: int = 0


def find_list(text: pl.Series) -> ListForm | None:
    """How these texts write lists, None if they do not look like lists.

    >>> find_list(pl.Series(["[7, 20, 7]", "[]", "['a']"]))
    ListForm(separator=None, brackets=True, size=None, odd=0)
    >>> find_list(pl.Series([f"{k % 5}|{k % 7}" + "|9" * (k % 3) for k in range(99)])).separator
    '|'
    >>> find_list(pl.Series(["0.5 1.25 -3e-2 0.125", "1.5 2.5 3.5 4"])).size
    4
    """
    values = text.unique(maintain_order=True)
    brackets = len(values) > 1 and _share(values, _IN_BRACKETS) >= MOSTLY
    vector = _find_vector(values, square=brackets)
    if vector is not None:
        return vector
    if brackets:
        return ListForm(_within(values), True)
    separator = find_separator(values)
    if separator is None:
        return None
    odd = int(text.str.contains(_AROUND).sum())
    return ListForm(separator, odd > 0, odd=odd if odd < len(text) else 0)


def is_nested(text: pl.Series) -> bool:
    """Whether these texts are lists of lists, or records, in JSON.

    >>> is_nested(pl.Series(['{"a": 1}', '{"a": 2}'])), is_nested(pl.Series(["[1]", "[2]"]))
    (True, False)
    """
    return len(text) > 0 and _share(text, _NESTED) >= MOSTLY


def find_separator(values: pl.Series) -> str | None:
    """What splits different texts into lists: their parts must vary in number and come again."""
    if len(values) < LIST_VALUES or are_grouped(values):
        return None
    for separator in SEPARATORS:
        counts = values.str.count_matches(separator, literal=True)
        if int((counts > 0).sum()) < 0.2 * len(values) or counts.n_unique() < 2:
            continue
        parts = flatten(values.str.split(separator))[0].str.strip_chars()
        if parts.n_unique() <= 0.5 * len(values):
            return separator
    return None


def are_grouped(values: pl.Series) -> bool:
    """Whether texts are numbers with a comma between thousands, such as 1,200 and 85.

    >>> are_grouped(pl.Series(["1,200", "85", "12,000.5"])), are_grouped(pl.Series(["101,202"]))
    (True, False)
    """
    if not bool(values.str.contains(",", literal=True).any()) or _share(values, _GROUPED) < 1:
        return False
    # Lists of ids with three digits look alike, but that the first has three as well.
    return bool(values.str.contains(r"^-?\d{1,2}(?:\D|$)").any())


def are_vectors(values: pl.Series, lengths: pl.Series) -> int | None:
    """How long the lists of numbers are, if they are vectors: one length, and fractions.

    >>> are_vectors(pl.Series([0.5, 1.5, 2.0, 0.25]), pl.Series([4, 0, None]))
    4
    """
    full = lengths.drop_nulls().filter(lengths.drop_nulls() > 0)
    if full.n_unique() != 1 or int(full[0]) < MIN_SIZE:
        return None
    numbers = values.drop_nulls().to_numpy()
    fractions = numbers[np.isfinite(numbers)] % 1 != 0
    return int(full[0]) if len(fractions) and fractions.mean() >= 0.5 else None


def _find_vector(values: pl.Series, *, square: bool) -> ListForm | None:
    brackets = square and _share(values, r"^\s*\[.*\]\s*$") == 1
    if square and not brackets:
        return None
    some = values.head(LOOKED_AT)
    inner = some.str.strip_chars().str.strip_chars_start("[").str.strip_chars_end("]")
    inner = inner.str.strip_chars() if brackets else some.str.strip_chars()
    for separator in VECTOR_SEPARATORS:
        if not inner.str.contains(separator, literal=True).all():
            continue
        if separator == " ":
            inner = inner.str.replace_all(r"\s+", " ")
        lists = inner.str.split(separator)
        numbers = flatten(lists)[0].str.strip_chars().cast(pl.Float64, strict=False)
        size = None if numbers.null_count() else are_vectors(numbers, lists.list.len())
        between = r"\S\s+" if separator == " " else re.escape(separator)
        bare = values.str.strip_chars().str.strip_chars("[]").str.strip_chars()
        if size is not None and bool((bare.str.count_matches(between) == size - 1).all()):
            return ListForm(None if brackets and separator == "," else separator, brackets, size)
    return None


def _within(values: pl.Series) -> str | None:
    """What separates the elements within brackets, None for the comma."""
    inside = split_brackets(values, "\x00").explode().str.strip_chars().drop_nulls()
    for separator in (",", ";", "|", " "):
        if bool(inside.str.contains(separator, literal=True).any()):
            return None if separator == "," else separator
    return None


def _share(values: pl.Series, pattern: str) -> float:
    return float(values.str.contains(pattern).mean() or 0.0)  # type: ignore[arg-type]
