"""Ids by a vocabulary that was written before values had one form, as they were then."""

from dataclasses import replace
from functools import cached_property

import polars as pl

from postclick.data.lookup.hash_table import Int32s
from postclick.data.lookup.text_lookup import TextLookup
from postclick.data.lookup.vocabulary_lookup import INTEGERS, VocabularyLookup
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.earlier_text import earlier_text
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules


class EarlierLookup(VocabularyLookup):
    """The ids of values that a vocabulary has as they were written.

    What a value was as text is looked up first: it has the id that it was trained with. Only one
    that is not there is looked up as it is read now.

    >>> values = EarlierLookup(pl.Series(["0", " 0", "2.50", "True"]))
    >>> values.ids(pl.Series([" 0", "0.0", "2.5", "true", "N/A"])).tolist()
    [2, 1, 3, 4, 0]
    >>> values.ids(pl.Series([True, False])).tolist()
    [4, 0]
    """

    def __init__(
        self, values: pl.Series, rules: ValueRules = DEFAULT_RULES, *, verbatim: bool = False
    ) -> None:
        """`values` as they were written, each once; the first has id 1."""
        written = values.cast(pl.String)
        now = written if verbatim else _as_read_now(written, rules)
        super().__init__(now, rules, verbatim=verbatim)
        self._written = written

    def ids(self, column: pl.Series) -> Int32s:
        """As that of `VocabularyLookup`."""
        kind = type(column.dtype)
        if kind is pl.String or kind in INTEGERS:  # an integer was the text that it is
            return super().ids(column)
        found = self.of_text(earlier_text(column))
        lost = (found == 0).nonzero()[0]
        if lost.size:
            now = to_text(column[lost], self._rules, verbatim=self._verbatim)
            found[lost] = self._now.of_text(now)
        return found

    def of_elements(self, text: pl.Series) -> Int32s:
        """int32 [n]: ids of elements of lists, read by the rules of `earlier`."""
        return self.ids(text)

    @cached_property
    def texts(self) -> TextLookup:
        return TextLookup(self._written, self._rules, verbatim=self._verbatim, now=self._now.texts)

    @cached_property
    def _now(self) -> VocabularyLookup:
        return VocabularyLookup(self._values, self._rules, verbatim=self._verbatim)


def earlier(rules: ValueRules) -> ValueRules:
    """The rules by which elements of a list are text as they were written."""
    return replace(rules, earlier=True)


def _as_read_now(values: pl.Series, rules: ValueRules) -> pl.Series:
    """Values of a vocabulary, those rewritten that are read in another way now."""
    canonical = to_text(values, rules).fill_null(values)
    free = (
        (canonical != values) & canonical.is_first_distinct() & ~canonical.is_in(values.to_list())
    )
    return values.zip_with(~free, canonical)
