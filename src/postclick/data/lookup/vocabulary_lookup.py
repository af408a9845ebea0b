"""From raw values to ids without a join: tables that are built once, for whatever type comes."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from postclick.data.lookup.hash_table import Int32s
from postclick.data.lookup.integer_lookup import IntegerLookup
from postclick.data.lookup.text_lookup import TextLookup, find_raw_texts, find_texts
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules

_FLOATS = {pl.Float64, pl.Float32}
# Below it a whole float is an integer of 64 bits.
_WHOLE_LIMIT = 2.0**63
_SIGNED = {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32}
INTEGERS = {*_SIGNED, pl.UInt64}


class VocabularyLookup:
    """The ids of one feature's values, from any column that training would have accepted.

    `ids` is the same as `Vocabulary.encode(to_text(column))`, several times faster. It builds a
    table when a type first needs it.

    >>> values = VocabularyLookup(pl.Series(["7", "shop", "12"]))
    >>> values.ids(pl.Series([12, 3, None, 7])).tolist()
    [3, 0, 0, 1]
    >>> values.ids(pl.Series(["shop", "7.0", "", "12"])).tolist()
    [2, 1, 0, 3]
    """

    def __init__(
        self, values: pl.Series, rules: ValueRules = DEFAULT_RULES, *, verbatim: bool = False
    ) -> None:
        """`values` is canonical text, each once; the first has id 1.

        `rules` and `verbatim` say how raw values are read, as in `to_text`.
        """
        self._values = values.cast(pl.String)
        self._rules, self._verbatim = rules, verbatim

    def ids(self, column: pl.Series) -> Int32s:
        """int32 [n]: 0 where a value is unknown or missing.

        Raises:
            InputError: the column holds lists or records.
        """
        kind = type(column.dtype)
        if kind is pl.String:
            found: Int32s = find_raw_texts([(self.texts, column)])[0]
            return found
        if kind in _SIGNED:
            return self.signed.find(column)
        if kind is pl.UInt64:
            return self._unsigned.find(column)
        if kind in _FLOATS:
            return self._of_floats(column)
        return self.of_text(to_text(column, self._rules, verbatim=self._verbatim))

    def warm(self) -> None:
        """Build the tables for text and for signed integers now."""
        _ = self.texts, self.signed

    def of_text(self, text: pl.Series) -> Int32s:
        """int32 [n]: `ids` of text that is canonical."""
        found: Int32s = find_texts([(self.texts, text)])[0]
        return found

    def of_elements(self, text: pl.Series) -> Int32s:
        """int32 [n]: ids of elements of lists, which are canonical text already."""
        return self.of_text(text)

    def _of_floats(self, column: pl.Series) -> Int32s:
        numbers = column.to_numpy()
        whole = (np.trunc(numbers) == numbers) & (np.abs(numbers) < _WHOLE_LIMIT)
        if whole.all():
            return self.signed.find_array(numbers.astype(np.int64))
        ids = np.zeros(len(numbers), dtype=np.int32)
        ids[whole] = self.signed.find_array(numbers[whole].astype(np.int64))
        rest = np.flatnonzero(~whole & ~np.isnan(numbers))
        if rest.size:
            ids[rest] = self.of_text(to_text(column[rest], self._rules))
        return ids

    @cached_property
    def texts(self) -> TextLookup:
        return TextLookup(self._values, self._rules, verbatim=self._verbatim)

    @cached_property
    def signed(self) -> IntegerLookup:
        return IntegerLookup(self._values, pl.Int64())

    @cached_property
    def _unsigned(self) -> IntegerLookup:
        return IntegerLookup(self._values, pl.UInt64())


def find_ids(columns: Sequence[tuple[VocabularyLookup, pl.Series]]) -> list[Int32s]:
    """`VocabularyLookup.ids` of several columns of one frame; those of text together."""
    if not columns:
        return []
    text = [k for k, (_, column) in enumerate(columns) if type(column.dtype) is pl.String]
    raw = find_raw_texts([(columns[k][0].texts, columns[k][1]) for k in text])
    together = dict(zip(text, raw, strict=True))
    return [
        together[k] if k in together else values.ids(column)
        for k, (values, column) in enumerate(columns)
    ]
