"""Features of a log that is read once: values as codes or numbers, segments when all were seen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
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
from postclick.judging.predicted.value_codes import codes_of
from postclick.judging.value_names import MISSING, OTHERS, are_dates, told_apart
from postclick.metrics.buckets import bucket_starts

TOP = 20
# A number with at most DISTINCT values is cut by value, others into BUCKETS of equal frequency.
DISTINCT, BUCKETS = 20, 10
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
        found = codes_of(to_text(column, self.rules), self._codes, self.name, self._asked)
        counts = np.bincount(found, minlength=len(self._codes))
        counts[: self._rows.size] += self._rows
        self._rows = counts
        return found.astype(np.int32)

    def settle(self) -> Segments:
        self._place, segments = in_segments(list(self._codes), self._rows, self._top)
        return segments

    def of(self, read: Arrays) -> NDArray[np.int64]:
        return self._place[read]


def in_segments(
    values: Sequence[str | None], rows: NDArray[np.int64], top: int
) -> tuple[NDArray[np.int64], Segments]:
    """The segment of each value of a category, `(k,)`, and what the segments are.

    The most frequent have one each, dates in their order, and so have whole numbers if they are
    few; all others share one.

    >>> place, segments = in_segments(["2026-01-07", None, "2026-01-05"], np.array([3, 1, 2]), 20)
    >>> segments.names, place.tolist()
    (('2026-01-05', '2026-01-07', '(missing)'), [1, 2, 0])
    """
    named = [MISSING if value is None else told_apart(value) for value in values]
    there = [k for k in range(len(named)) if rows[k]]
    # Of equally frequent values those first by name, whatever the order of rows.
    order = sorted(there, key=lambda k: (-rows[k], named[k]))
    shown, rest = order[:top], order[top:]
    known = [values[k] for k in there]
    numbers = pl.Series(known, dtype=pl.String).cast(pl.Float64, strict=False)
    if numbers.null_count() <= (None in known) and not rest:
        of = dict(zip(there, numbers.fill_null(np.inf).to_list(), strict=True))
        shown = sorted(there, key=lambda k: (of[k], named[k]))
    elif are_dates(known):
        shown = sorted(shown, key=lambda k: (values[k] is None, values[k] or ""))
    place = np.full(len(named), len(shown), np.int64)
    place[shown] = np.arange(len(shown))
    names, sizes = [named[k] for k in shown], [1] * len(shown)
    if rest:
        names, sizes = [*names, OTHERS], [*sizes, len(rest)]
    return place, Segments(tuple(names), tuple(sizes))


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
                f"feature {self.name!r} is numeric by the schema, and holds "
                f"{unreadable.examples[0]}: list it under categorical there, or leave it out"
            )
        values = number.fill_null(np.nan).to_numpy()
        known = values[~np.isnan(values)]
        self.take(known, missing=known.size < values.size)
        return values

    def take(self, known: NDArray[np.float64], *, missing: bool) -> None:
        """See some numbers, `(k,)`, and whether rows have none."""
        self._missing |= missing
        self._sample.add(known)

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
