"""Features of which only all rows show whether they are numbers or categories."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import ValueRules
from postclick.judging.predicted.features import (
    TOP,
    Arrays,
    Feature,
    Number,
    Segments,
    in_segments,
)
from postclick.judging.predicted.value_codes import MOST_VALUES, codes_of, too_many

# Text that as a category is another value than its number: 007, +1 and words.
_OF_ITS_OWN = r"^\s*(\+|[+-]?0\d|(?i)true\s*$|(?i)false\s*$)"
_WHOLE_LIMIT = 2.0**53  # beyond it, floats do not tell whole numbers apart
# The bits of a NaN; those of a text are these and its code, from 1.
_NAN = int(np.array(np.nan).view(np.int64))


class Undecided(Feature):
    """Text or floats: numbers if all values are, and some are not whole; else categories.

    That does not depend on the order of rows. Each is read as the 64 bits of its number, or those
    of a NaN and the code of its text.

    >>> feature = Undecided("size", ValueRules())
    >>> read = [feature.read(pl.Series(v)) for v in (["1.5", "2"], ["large", "2", None])]
    >>> feature.settle().names, feature.kind
    (('2', '(missing)', '1.5', 'large'), 'categorical')
    >>> feature.of(np.concatenate(read)).tolist()
    [2, 0, 3, 0, 1]
    """

    def __init__(self, name: str, rules: ValueRules, top: int = TOP, asked: str = "by") -> None:
        super().__init__(name, rules)
        self.kind = "categorical"
        self._top, self._asked = top, asked
        self._number, self._whole = Number(name, rules), True
        self._values, self._rows = np.zeros(0), np.zeros(0, np.int64)
        self._full = False
        # Code, rows and number of each text; a text that stands for no number has none.
        self._codes: dict[str | None, int] = {None: 0}
        self._rows_of_text, self._of_text = np.zeros(1, np.int64), np.full(1, np.nan)
        self._all_numbers = True
        self._place = np.zeros(0, np.int64)

    def read(self, column: pl.Series) -> NDArray[np.int64]:
        if column.dtype in (pl.Categorical, pl.Enum):
            column = column.cast(pl.String)
        if column.dtype.is_numeric() or column.dtype == pl.String:
            number = to_number(column, self.rules)[0].fill_null(np.nan).to_numpy().copy()
        else:
            number = np.full(len(column), np.nan)
        coded = ~(np.abs(number) < _WHOLE_LIMIT)
        if column.dtype == pl.String:
            coded |= column.str.contains(_OF_ITS_OWN).fill_null(False).to_numpy()
        known = number[~np.isnan(number)]
        self._number.take(known, missing=known.size < number.size)
        self._whole = self._whole and bool(np.all(known % 1 == 0))
        number[number == 0] = 0.0  # no negative zero
        bits = number.view(np.int64).copy()
        if coded.any():
            bits[coded] = _NAN + self._code(column.filter(pl.Series(coded)), number[coded])
        self._count(number[~coded])
        return bits

    def _code(self, column: pl.Series, number: NDArray[np.float64]) -> NDArray[np.int64]:
        text = to_text(column, self.rules)
        found = codes_of(text, self._codes, self.name, self._asked)
        more = len(self._codes) - self._of_text.size
        self._of_text = np.append(self._of_text, np.full(more, np.nan))
        self._of_text[found] = number
        self._rows_of_text = np.append(self._rows_of_text, np.zeros(more, np.int64))
        self._rows_of_text += np.bincount(found, minlength=len(self._codes))
        if self._all_numbers:
            self._all_numbers = not has_words(text.filter(pl.Series(np.isnan(number))), self.rules)
        return found

    def _count(self, number: NDArray[np.float64]) -> None:
        """Count how often each number is there, until they are too many to be categories."""
        if self._full:
            return
        values, rows = np.unique(number, return_counts=True)
        self._values, place = np.unique(np.concatenate((self._values, values)), return_inverse=True)
        self._rows = np.bincount(place, np.concatenate((self._rows, rows))).astype(np.int64)
        self._full = self._values.size > MOST_VALUES
        if self._full and self._whole:
            raise too_many(self.name, self._asked)

    def settle(self) -> Segments:
        if not self._whole and self._all_numbers:
            self.kind = "numeric"
            return self._number.settle()
        if self._full:
            raise too_many(self.name, self._asked)
        names = to_text(pl.Series(self._values, dtype=pl.Float64)).to_list()
        rows = np.concatenate((self._rows_of_text, self._rows))
        self._place, segments = in_segments([*self._codes, *names], rows, self._top)
        return segments

    def of(self, read: Arrays) -> NDArray[np.int64]:
        number = read.view(np.float64)
        coded = np.isnan(number)
        code = np.where(coded, read - _NAN, 0)
        if self.kind == "numeric":
            return self._number.of(np.where(coded, self._of_text[code], number))
        place = len(self._codes) + np.searchsorted(self._values, number)
        return self._place[np.where(coded, code, place)]


def has_words(column: pl.Series, rules: ValueRules) -> bool:
    """Whether some text is neither a number nor stands for none.

    >>> rules = ValueRules()
    >>> [has_words(pl.Series(v), rules) for v in (["1.5", "NA", "inf"], ["1.5", "large"])]
    [False, True]
    """
    return to_number(column, rules)[1].rows > 0
