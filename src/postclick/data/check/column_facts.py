"""What a raw column looks like, to guess its role from."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from postclick.data.read.canonical_text import to_text
from postclick.data.read.labels import to_label
from postclick.data.read.lists import flatten
from postclick.data.read.numbers import to_number

Form = Literal["empty", "list", "record", "time", "whole", "real", "text"]
# What may separate the elements of a list written as text.
SEPARATORS = ("|", ";", "\x01", "\x02", "\x03", "^", ",", " ", "#", ":", "/")
LIST_VALUES = 20  # different texts from which a separator is looked for
SKEW = 20.0  # 99th percentile over median from which log1p is proposed


@dataclass(frozen=True)
class ColumnFacts:
    """Facts on the sampled values of one column.

    Attributes:
        form: how its values are written.
        present: rows that have a value.
        distinct: different values, missing left out.
        label: the column as a 0/1 label if it is one in every row and has both, else None.
        separator: what splits its text into a list, if it looks like one.
        skewed: never negative, and a few values far above the others.
        span: smallest and largest number, "" for other forms.
    """

    name: str
    form: Form
    rows: int
    present: int
    distinct: int
    label: pl.Series | None = None
    separator: str | None = None
    skewed: bool = False
    span: str = ""

    @property
    def words(self) -> set[str]:
        """The words of the name in lower case.

        >>> sorted(ColumnFacts("isClicked_7d", "text", 0, 0, 0).words)
        ['7d', 'clicked', 'is']
        """
        spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", self.name)
        return set(re.split(r"[^a-z0-9]+", spaced.lower())) - {""}


def column_facts(column: pl.Series) -> ColumnFacts:
    """Look at one raw column.

    >>> facts = column_facts(pl.Series("price", ["1.50", "2", None]))
    >>> facts.form, facts.distinct, facts.span
    ('real', 2, '1.5 to 2')
    """
    name, rows = column.name, len(column)
    if isinstance(column.dtype, pl.List | pl.Array):
        lists = column if isinstance(column.dtype, pl.List) else column.arr.to_list()
        inner = flatten(lists)[0]
        nested = inner.dtype.is_nested()
        full = int((lists.list.len().fill_null(0) > 0).sum())
        distinct = 0 if nested else inner.drop_nulls().n_unique()
        return ColumnFacts(name, "record" if nested else "list", rows, full, distinct)
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return ColumnFacts(name, "record", rows, rows - column.null_count(), 0)
    text = to_text(column)
    present = text.drop_nulls()
    distinct = present.n_unique()
    if distinct == 0:
        return ColumnFacts(name, "empty", rows, 0, 0)
    if column.dtype.is_temporal():
        return ColumnFacts(name, "time", rows, len(present), distinct)
    label, bad = to_label(column)
    binary = label if bad.rows == 0 and 0 < int(label.sum()) < rows else None
    number, unreadable, infinite = to_number(column)
    codes = bool(present.str.contains(r"^0\d").any())  # 00123 is no number
    if unreadable.rows == infinite.rows == 0 and number.null_count() < rows and not codes:
        values = number.drop_nulls().to_numpy()
        whole = bool((values % 1 == 0).all())
        low, high = values.min(), values.max()
        middle, top = np.quantile(values, [0.5, 0.99])
        skewed = bool(low >= 0 and top > SKEW * max(middle, 0.05))
        span = f"{low:.6g} to {high:.6g}"
        form: Form = "whole" if whole else "real"
        return ColumnFacts(name, form, rows, len(present), distinct, binary, None, skewed, span)
    separator = find_separator(present)
    form = "time" if separator is None and _is_time(present) else "text"
    return ColumnFacts(name, form, rows, len(present), distinct, binary, separator)


def find_separator(text: pl.Series) -> str | None:
    """What splits these texts into lists: their parts must vary in number and come again.

    >>> find_separator(pl.Series([f"{k % 5}|{k % 7}" + "|9" * (k % 3) for k in range(99)]))
    '|'
    """
    values = text.unique(maintain_order=True)
    if len(values) < LIST_VALUES:
        return None
    for separator in SEPARATORS:
        counts = values.str.count_matches(separator, literal=True)
        if int((counts > 0).sum()) < 0.2 * len(values) or counts.n_unique() < 2:
            continue
        parts = flatten(values.str.split(separator))[0]
        if parts.n_unique() <= 0.5 * len(values):
            return separator
    return None


def _is_time(text: pl.Series) -> bool:
    try:
        return text.head(1000).str.to_datetime(time_unit="us", strict=False).null_count() == 0
    except pl.exceptions.ComputeError:
        return False
