"""Columns of any type as text, numbers, labels, times or lists, and what could not be read."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from postclick.data.read.file_source import NULL_TEXT
from postclick.data.schema import MultiCategorical
from postclick.errors import InputError

EXAMPLES = 3
# What may be wrong with a value.
NOT_BINARY, UNREADABLE, INFINITE = "not-binary", "unreadable", "infinite"
LENGTHS, NO_WEIGHT = "lengths", "no-weight"
TRUTH_RANGE, NO_TRUTH, UNREADABLE_TIME = "truth-range", "no-truth", "unreadable-time"
# Text that stands for a missing number; a category may well be called "NA".
MISSING_NUMBERS = ["", "na", "n/a", "<na>", "null", "none", "nan", "-nan"]
LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class BadValues:
    """How many rows of a column hold what cannot be used, and a few of their values."""

    rows: int = 0
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: pl.Series, bad: pl.Series) -> "BadValues":
        """Count the rows where `bad` is true and show the first different values of `column`."""
        rows = int(bad.sum() or 0)
        if rows == 0:
            return cls()
        values = column.filter(bad).head(10_000).unique(maintain_order=True).head(EXAMPLES)
        return cls(rows, tuple("missing" if v is None else repr(v) for v in values.to_list()))


# Which kind of bad values was found in which column.
Found = list[tuple[str, str, BadValues]]


def to_text(column: pl.Series) -> pl.Series:
    """Categories as text, so that CSV, Parquet and frames agree: 3.0 is "3", blanks are null.

    Raises:
        InputError: the column holds lists or records.

    >>> to_text(pl.Series("shop", [3.0, 2.5, None, float("nan")])).to_list()
    ['3', '2.5', None, None]
    >>> to_text(pl.Series("shop", ["3.00", "2.50"])).to_list()
    ['3', '2.50']
    """
    kind = column.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise InputError(
            f"column {column.name!r} holds {kind}, not one value per row: "
            "list it under multi, or take it out of the schema"
        )
    if kind.is_float():
        column = column.fill_nan(None)
    text = column if kind == pl.String else column.cast(pl.String)
    if kind.is_integer() or kind == pl.Boolean:
        return text
    if kind.is_decimal() or _may_be_whole(text):
        text = text.str.replace(r"^(-?\d+)\.0+$", "$1")
    null = text.is_in(NULL_TEXT)
    if bool(null.any()):
        text = text.set(null.fill_null(False), None)
    return text


def _may_be_whole(text: pl.Series) -> bool:
    """Whether some text may be a whole number with zeros behind the point; quick to tell."""
    if bool(text.str.ends_with(".0").any()):
        return True
    return bool(text.str.contains(".00", literal=True).any())


def to_number(column: pl.Series) -> tuple[pl.Series, BadValues, BadValues]:
    """Numbers as Float64: the column, unreadable text, infinities; both become null.

    >>> number, unreadable, infinite = to_number(pl.Series("x", ["1", " 2.5 ", "NA", "ten", "inf"]))
    >>> number.to_list(), unreadable, infinite.rows
    ([1.0, 2.5, None, None, None], BadValues(rows=1, examples=("'ten'",)), 1)
    """
    kind = column.dtype
    unreadable = BadValues()
    if kind.is_nested() or kind.is_temporal() or kind in (pl.Binary, pl.Object):
        raise InputError(
            f"column {column.name!r} holds {kind}, not numbers: derive a number from it, "
            "list it under another kind, or take it out of the schema"
        )
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.String:
        number = column.cast(pl.Float64, strict=False)
        if number.null_count() > column.null_count():
            text = column.str.strip_chars()
            number = text.cast(pl.Float64, strict=False)
            known = text.str.to_lowercase().is_in(MISSING_NUMBERS)
            unreadable = BadValues.of(column, number.is_null() & column.is_not_null() & ~known)
    else:
        number = column.cast(pl.Float64)
    infinite = number.is_infinite()
    infinities = BadValues()
    if bool(infinite.any()):
        infinities = BadValues.of(column, infinite.fill_null(False))
        number = number.set(infinite.fill_null(False), None)
    return number.fill_nan(None), unreadable, infinities


def to_label(column: pl.Series) -> tuple[pl.Series, BadValues]:
    """A 0/1 label as Int8, null where it is missing or anything else.

    >>> label, bad = to_label(pl.Series("click", ["1", "0.0", "true", "yes", None]))
    >>> label.to_list(), bad
    ([1, 0, 1, None, None], BadValues(rows=2, examples=("'yes'", 'missing')))
    """
    kind = column.dtype
    if kind in (pl.Categorical, pl.Enum):
        column, kind = column.cast(pl.String), pl.String()
    if kind == pl.Boolean:
        label = column.cast(pl.Int8)
    elif kind.is_numeric():
        label = column.set(~((column == 0) | (column == 1)), None).cast(pl.Int8)
    elif kind == pl.String:
        label = column.replace_strict(LABELS, default=None, return_dtype=pl.Int8)
        if label.null_count() > column.null_count():
            text = column.str.strip_chars().str.to_lowercase()
            label = text.replace_strict(LABELS, default=None, return_dtype=pl.Int8)
    else:
        label = pl.Series(column.name, [None] * len(column), dtype=pl.Int8)
    return label, BadValues.of(column, label.is_null())


def to_truth(column: pl.Series, binary: bool) -> tuple[pl.Series, Found]:
    """A truth column as Float64; probabilities, or 0 and 1 if `binary`.

    >>> number, found = to_truth(pl.Series("p", [0.5, 1.2, None]), binary=False)
    >>> number.to_list(), [(kind, bad.rows) for kind, _, bad in found if bad.rows]
    ([0.5, 1.2, None], [('truth-range', 1), ('no-truth', 1)])
    """
    number, unreadable, infinite = to_number(column)
    wrong = ~number.is_in([0.0, 1.0]) if binary else (number < 0) | (number > 1)
    return number, [
        (UNREADABLE, column.name, unreadable),
        (INFINITE, column.name, infinite),
        (TRUTH_RANGE, column.name, BadValues.of(column, wrong.fill_null(False))),
        (NO_TRUTH, column.name, BadValues(number.null_count(), ("missing",))),
    ]


def to_time(column: pl.Series) -> tuple[pl.Series, BadValues]:
    """Times as Float64 that can be compared: dates as microseconds, numbers as they are.

    >>> to_time(pl.Series("t", ["1970-01-01 00:00:01", "soon"]))[0].to_list()
    [1000000.0, None]
    """
    kind = column.dtype
    if kind.is_temporal():
        number = column.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64)
    elif kind == pl.String:
        number = column.cast(pl.Float64, strict=False)
        if number.null_count() > column.null_count():
            try:
                moment = column.str.to_datetime(time_unit="us", strict=False)
                number = moment.cast(pl.Int64).cast(pl.Float64)
            except pl.exceptions.ComputeError:  # no format fits any row
                number = pl.Series([None] * len(column), dtype=pl.Float64)
    else:
        number = column.cast(pl.Float64)
    return number, BadValues.of(column, number.is_null() & column.is_not_null())


def to_bag(
    column: pl.Series, weights: pl.Series | None, role: MultiCategorical
) -> tuple[list[pl.Series], Found]:
    """A multi-valued column as lists of text and, where it has weights, of numbers beside it.

    Blank elements are left out, and so are all of a row whose lists differ in length.
    """
    found: Found = []
    lists = to_lists(column, role.separator)
    if weights is not None:
        weights = to_lists(weights, role.separator)
        differ = lists.list.len().fill_null(0) != weights.list.len().fill_null(0)
        found.append((LENGTHS, column.name, BadValues.of(column, differ)))
        if bool(differ.any()):
            lists, weights = lists.set(differ, None), weights.set(differ, None)
    values, offsets = flatten(lists)
    text = to_text(values)
    text = text.set((text == "").fill_null(False), None)
    keep = text.is_not_null()
    if not bool(keep.all()):  # a trailing separator, say
        offsets = np.concatenate(([0], np.cumsum(keep.to_numpy(), dtype=np.int64)))[offsets]
    bags = [rebuild(text.filter(keep), offsets)]
    if weights is not None:
        raw = flatten(weights)[0]
        absent = int((keep & (raw.is_null() | (raw.cast(pl.String) == ""))).sum())
        number, unreadable, infinite = to_number(raw)
        found.append((NO_WEIGHT, raw.name, BadValues(absent, ("missing",))))
        found += [(UNREADABLE, raw.name, unreadable), (INFINITE, raw.name, infinite)]
        bags.append(rebuild(number.filter(keep).fill_null(0.0), offsets))
    if role.max_length is not None:
        bags = [bag.list.head(role.max_length) for bag in bags]
    return bags, found


def to_lists(column: pl.Series, separator: str | None) -> pl.Series:
    """A multi-valued column as lists: lists as they are, text split at `separator`.

    Raises:
        InputError: the column is text and has no separator, or is neither list nor text.
    """
    kind = column.dtype
    if isinstance(kind, pl.List):
        return column
    if isinstance(kind, pl.Array):
        return column.arr.to_list()
    if kind == pl.Null:
        return pl.Series(column.name, [[]] * len(column), dtype=pl.List(pl.String))
    if separator is None:
        raise InputError(
            f"multi column {column.name!r} holds {kind}, not lists: "
            "name the separator that splits its text"
        )
    return to_text(column).str.split(separator)


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
