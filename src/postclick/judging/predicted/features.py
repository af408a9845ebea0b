"""Features of a log that is read once: values as codes or numbers, segments when all were seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError
from postclick.judging.predicted.even_sample import EvenSample
from postclick.metrics.buckets import bucket_starts
from postclick.spelling import option

MISSING, OTHERS = "(missing)", "(others)"
TOP = 20
# A number with at most DISTINCT values is cut by value, others into BUCKETS of equal frequency.
DISTINCT, BUCKETS = 20, 10
MOST_VALUES = 100_000
# Numbers that are kept to find the buckets by.
SAMPLE = 200_000
Kind = Literal["categorical", "numeric", "time"]
Arrays = NDArray[Any]


@dataclass(frozen=True)
class Segments:
    """How the rows of a log are cut by one feature.

    Attributes:
        names: of the segments, in the order in which they are shown.
        values: how many values of the feature each holds.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]


class Feature(ABC):
    """One feature: `read` every piece of it, then `settle` the segments, then ask `of` which."""

    kind: Kind

    def __init__(self, name: str, rules: ValueRules) -> None:
        self.name, self.rules = name, rules

    @abstractmethod
    def read(self, column: pl.Series) -> Arrays:
        """A number for the value of each row, `(k,)`."""

    @abstractmethod
    def settle(self) -> Segments:
        """The segments, once every row has been read."""

    @abstractmethod
    def of(self, read: Arrays) -> NDArray[np.int64]:
        """The segment of each row, from what `read` gave."""

    def notes(self) -> list[str]:
        """What a reader should know of how it was read, once it is settled."""
        return []


class Category(Feature):
    """Values by their canonical text; the most frequent have a segment each."""

    kind: Kind = "categorical"

    def __init__(self, name: str, rules: ValueRules, top: int = TOP, asked: str = "by") -> None:
        super().__init__(name, rules)
        self._top, self._asked = top, asked
        self._codes: dict[str | None, int] = {}
        self._rows = np.zeros(0, np.int64)
        self._place = np.zeros(0, np.int64)

    def read(self, column: pl.Series) -> NDArray[np.int32]:
        text = to_text(column, self.rules)
        values = text.unique().to_list()
        for value in values:
            self._codes.setdefault(value, len(self._codes))
        if len(self._codes) > MOST_VALUES:
            raise InputError(
                f"feature {self.name!r} has more than {MOST_VALUES:,} values: give "
                f"{option(self._asked)} one with fewer, such as a category of them"
            )
        codes = pl.DataFrame({"value": values, "code": [self._codes[one] for one in values]})
        codes = codes.with_columns(pl.col("value").cast(pl.String))
        found = (
            text.to_frame("value")
            .join(codes, on="value", how="left", nulls_equal=True, maintain_order="left")["code"]
            .to_numpy()
        )
        counts = np.bincount(found, minlength=len(self._codes))
        counts[: self._rows.size] += self._rows
        self._rows = counts
        return found.astype(np.int32)

    def settle(self) -> Segments:
        named = [MISSING if value is None else value for value in self._codes]
        numbers = pl.Series(named, dtype=pl.String).cast(pl.Float64, strict=False)
        # Of equally frequent values those first by name, whatever the order of rows.
        order = np.array(sorted(range(len(named)), key=lambda k: (-self._rows[k], named[k])), int)
        shown, rest = order[: self._top], order[self._top :]
        if numbers.null_count() <= (None in self._codes) and not rest.size:
            shown = np.lexsort((numbers.fill_null(np.inf).to_numpy(),))  # numbers by size
        self._place = np.full(len(named), shown.size, np.int64)
        self._place[shown] = np.arange(shown.size)
        names, values = [named[k] for k in shown], [1] * int(shown.size)
        if rest.size:
            names, values = [*names, OTHERS], [*values, int(rest.size)]
        return Segments(tuple(names), tuple(values))

    def of(self, read: Arrays) -> NDArray[np.int64]:
        return self._place[read]


class Number(Feature):
    """Numbers: by value where there are few, else in buckets of about equally many rows."""

    kind: Kind = "numeric"

    def __init__(self, name: str, rules: ValueRules) -> None:
        super().__init__(name, rules)
        self._sample, self._missing = EvenSample(SAMPLE), False
        self._edges, self._known = np.zeros(0), 0

    def read(self, column: pl.Series) -> NDArray[np.float64]:
        number, unreadable, _ = to_number(column, self.rules)
        if unreadable.rows:
            raise InputError(
                f"feature {self.name!r} is numbers at first, and then {unreadable.examples[0]}: "
                "list it under categorical in a schema, or leave it out"
            )
        values = number.fill_null(np.nan).to_numpy()
        known = values[~np.isnan(values)]
        self._missing |= known.size < values.size
        self._sample.add(known)
        return values

    def settle(self) -> Segments:
        ordered = np.sort(self._sample.values())
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))[: ordered.size]
        if starts.size > DISTINCT or not self._sample.whole:
            starts = np.array(bucket_starts(ordered, BUCKETS))
        self._edges, self._known = ordered[starts[1:]], starts.size
        names = self._names(ordered, starts) if ordered.size else []
        names += [MISSING] if self._missing or not names else []
        return Segments(tuple(names), (1,) * len(names))

    def _names(self, ordered: NDArray[np.float64], starts: Arrays) -> list[str]:
        ends = np.append(starts[1:], ordered.size)
        found = []
        for k, (a, b) in enumerate(zip(starts, ends, strict=True)):
            low, high = float(ordered[a]), float(ordered[b - 1])
            if low == high and self._sample.whole:
                found.append(f"{low:.6g}")
            elif self._sample.whole:
                found.append(f"{low:.6g} to {high:.6g}")
            elif k == 0:
                found.append("all" if starts.size == 1 else f"below {ordered[starts[1]]:.6g}")
            elif k == starts.size - 1:
                found.append(f"{low:.6g} and above")
            else:
                found.append(f"{low:.6g} to below {ordered[starts[k + 1]]:.6g}")
        return found

    def of(self, read: Arrays) -> NDArray[np.int64]:
        number = np.searchsorted(self._edges, read, side="right")
        number[np.isnan(read)] = self._known
        return number.astype(np.int64)


def feature_for(
    name: str,
    column: pl.Series,
    rules: ValueRules,
    *,
    numeric: bool | None = None,
    top: int = TOP,
    asked: str = "by",
) -> Feature:
    """How a feature is read, told from its first rows: decimals are numbers, all else categories.

    Args:
        numeric: what a schema says of it, None where there is none.
        asked: the option that names it.

    Raises:
        InputError: it holds several values for each row.

    >>> rules = ValueRules()
    >>> [feature_for("x", pl.Series(v), rules).kind for v in ([1, 2], [0.5, 2.0], ["1.5", "2"])]
    ['categorical', 'numeric', 'numeric']
    """
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InputError(
            f"feature {name!r} holds {column.dtype}, not one value per row: give "
            f"{option(asked)} another"
        )
    if numeric is None:
        numeric = column.dtype.is_float() or column.dtype.is_decimal()
        if numeric or column.dtype == pl.String:
            found, unreadable, _ = to_number(column, rules)
            whole = found.drop_nulls().drop_nans()
            numeric = len(whole) > 0 and not unreadable.rows and bool((whole % 1 != 0).any())
    return Number(name, rules) if numeric else Category(name, rules, top, asked)
