"""Columns of vectors as lists of one length, and what is wrong with them."""

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from postclick.data.read.values.bad_values import BadValues, Found
from postclick.data.read.values.lists import flatten
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.data.schema import Vector
from postclick.errors import InputError

# What may be wrong with a vector. The first is followed by a length: "vector-length:64".
LENGTH, TEXT, GAPS = "vector-length:", "vector-text", "vector-gaps"
Floats = npt.NDArray[np.float64]


def to_vector(
    column: pl.Series, role: Vector, rules: ValueRules = DEFAULT_RULES
) -> tuple[pl.Series, Found]:
    """A vector column as lists of float64: NaN where an element is missing, NaN or infinite.

    A row is null where there is no vector: null, an empty list, blank text. A vector of another
    length is wrong, and null as well.

    Raises:
        InputError: the column holds no lists of numbers, or text and no word on how it is split.

    >>> column = pl.Series("e", [[1.0, None], [], [1.0, 2.0, 3.0], None])
    >>> vector, found = to_vector(column, Vector(name="e", size=2))
    >>> vector.to_list()
    [[1.0, nan], None, None, None]
    >>> [(kind, bad.rows) for kind, _, bad in found if bad.rows]
    [('vector-length:3', 1), ('vector-gaps', 1)]
    >>> text = pl.Series("e", ["[0.5, 2]", ""])
    >>> to_vector(text, Vector(name="e", size=2, brackets=True))[0].to_list()
    [[0.5, 2.0], None]
    """
    name, size, rules = column.name, role.size, rules.of_elements(role)
    lists, unbracketed = _lists(column, role, rules)
    flat, offsets = flatten(lists)
    if flat.dtype.is_nested() or flat.dtype.is_temporal():
        raise InputError(
            f"vector column {name!r} holds {column.dtype}, not lists of numbers: flatten it, or "
            "take it out of the schema"
        )
    number, unreadable, _ = to_number(flat, rules)
    values = number.cast(pl.Float64).to_numpy()
    lengths = np.diff(offsets)
    right = lengths == size
    if right.all():
        matrix = values.reshape(-1, size)
    else:
        matrix = np.full((len(lists), size), np.nan)
        matrix[right] = values[np.repeat(right, lengths)].reshape(-1, size)
    gaps = int((np.isnan(matrix).any(axis=1) & right).sum())
    others, counts = np.unique(lengths[~right & (lengths > 0)], return_counts=True)
    found: Found = [
        (f"{LENGTH}{length}", name, BadValues(int(count)))
        for length, count in zip(others, counts, strict=True)
    ]
    found += [(TEXT, name, unbracketed), (TEXT, name, unreadable), (GAPS, name, BadValues(gaps))]
    return _as_lists(name, matrix, ~right), found


def matrix_of(column: pl.Series, size: int) -> Floats:
    """float64 [n, size] of what `to_vector` gave, NaN where its row is null.

    >>> matrix_of(pl.Series([[1.0, 2.0], None]), 2).tolist()
    [[1.0, 2.0], [nan, nan]]
    """
    values: Floats = flatten(column)[0].to_numpy()
    if not column.null_count():
        return values.reshape(-1, size)
    matrix = np.full((len(column), size), np.nan)
    matrix[column.is_not_null().to_numpy()] = values.reshape(-1, size)
    return matrix


def _as_lists(name: str, matrix: Floats, missing: npt.NDArray[np.bool_]) -> pl.Series:
    """[n, size] as lists, null where `missing`."""
    there = ~missing
    offsets = np.zeros(len(matrix) + 1, dtype=np.int64)
    np.cumsum(there * matrix.shape[1], out=offsets[1:])
    values = np.ascontiguousarray(matrix[there] if missing.any() else matrix).reshape(-1)
    edges = pa.array(offsets, mask=np.append(missing, False))
    column = pl.from_arrow(pa.LargeListArray.from_arrays(edges, pa.array(values)))
    assert isinstance(column, pl.Series)
    return column.alias(name)


def _lists(column: pl.Series, role: Vector, rules: ValueRules) -> tuple[pl.Series, BadValues]:
    """The column as lists, and its texts that are not in brackets where they should be."""
    kind, none = column.dtype, BadValues()
    if isinstance(kind, pl.List):
        return column, none
    if isinstance(kind, pl.Array):
        return column.arr.to_list(), none
    if kind == pl.Null:
        return pl.Series(column.name, [None] * len(column), dtype=pl.List(pl.Float64)), none
    if kind not in (pl.String, pl.Categorical, pl.Enum):
        raise InputError(
            f"vector column {column.name!r} holds {kind}, not lists of numbers: cast it to such "
            "lists, or list it under another kind"
        )
    if role.separator is None and not role.brackets:
        raise InputError(
            f"vector column {column.name!r} holds text, not lists: name the separator that splits "
            "it, or set brackets: true where it is written as [0.1, 0.2]"
        )
    text = column.cast(pl.String).str.strip_chars()
    text = text.set(rules.is_no_number(text).fill_null(False), None)
    bare = none
    if role.brackets:
        wrong = ~(text.str.starts_with("[") & text.str.ends_with("]"))
        bare = BadValues.of(column, wrong.fill_null(False))
        text = text.set(wrong.fill_null(False), None)
        text = text.str.strip_prefix("[").str.strip_suffix("]").str.strip_chars()
    separator = role.separator or ","
    if not separator.strip():  # any number of blanks between two numbers
        text, separator = text.str.replace_all(r"\s+", " "), " "
    text = text.set((text == "").fill_null(False), None)
    return text.str.split(separator), bare
