"""Ids of text: a hash finds the only value that it may be, and the two are compared."""

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from postclick.data.lookup.hash_table import HashTable, Int32s, UInt64s
from postclick.data.read.values.canonical_text import to_text
from postclick.data.read.values.earlier_text import earlier_text
from postclick.data.read.values.spellings import VALUE
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

_SEEDS = 16
# A letter of true, false or infinity, or a digit beside what its value may be written without.
_SIGN = re.compile(r"[.,:]|\d[eE]|^-0$|(?i:^[+-]?inf|^true$|^false$)")


class TextLookup:
    """The values of one feature, which are canonical text and each there once.

    >>> texts = TextLookup(pl.Series(["7", "shop"]))
    >>> find_texts([(texts, pl.Series(["shop", None, "7.0"]))]).tolist()
    [[2, 0, 0]]
    >>> find_raw_texts([(texts, pl.Series(["shop", None, "7.0"]))]).tolist()
    [[2, 0, 1]]
    """

    def __init__(
        self,
        values: pl.Series,
        rules: ValueRules = DEFAULT_RULES,
        *,
        verbatim: bool = False,
        now: "TextLookup | None" = None,
    ) -> None:
        """`rules` and `verbatim` say how raw text is read, as in `to_text`.

        `now` is there where the values were written before they had one form, and has them as
        they are read now.
        """
        self.rules, self.verbatim, self.now = rules, verbatim, now
        for seed in range(_SEEDS):
            hashes = _hashes(values, seed)
            if len(np.unique(hashes)) == len(hashes):
                break
        else:  # two of a million values have the same hash with 1 seed in 10^7
            raise InputError("a vocabulary holds a value twice: run 'postclick prepare' again")
        self.seed = seed
        self.table = HashTable(hashes, np.arange(1, len(values) + 1, dtype=np.int32))
        # By id; what stands for id 0 makes no difference.
        self.values = pl.concat([pl.Series([""]), values], rechunk=True)

    @cached_property
    def has_values(self) -> bool:
        """Whether there are numbers, moments or so, which may be written in several ways."""
        if self.now is not None:
            return self.now.has_values
        return bool(self.values.str.contains(VALUE).any())


def find_texts(columns: Sequence[tuple[TextLookup, pl.Series]]) -> Int32s:
    """int32 [columns, n]: ids of canonical text, 0 where it is unknown or missing.

    What can be done for all columns at once is: it takes longer to begin than to do for the rows
    of one request.
    """
    if not columns:
        return np.empty((0, 0), dtype=np.int32)
    rows = len(columns[0][1])
    together = columns[0][1] if len(columns) == 1 else pl.concat([text for _, text in columns])
    hashes = _hashes(together, 0).reshape(len(columns), rows)
    ids = np.empty((len(columns), rows), dtype=np.int32)
    for found, (texts, text), hashed in zip(ids, columns, hashes, strict=True):
        found[:] = texts.table.lookup(_hashes(text, texts.seed) if texts.seed else hashed)
    places = pl.Series(ids.reshape(-1).view(np.uint32))
    values = [texts.values[places.slice(k * rows, rows)] for k, (texts, _) in enumerate(columns)]
    same = together == (values[0] if len(columns) == 1 else pl.concat(values))
    # Mostly all that was found is right, and counting is faster than looking at each.
    if same.sum() != np.count_nonzero(ids):
        ids *= same.fill_null(False).to_numpy().reshape(ids.shape)
    return ids


def find_raw_texts(columns: Sequence[tuple[TextLookup, pl.Series]]) -> Int32s:
    """`find_texts` of text as a log has it, which `to_text` would make canonical."""
    ids = find_texts(columns)
    for found, (texts, text) in zip(ids, columns, strict=True):
        # What was found is canonical; only what was not may be another way to write a value.
        if found.all():
            continue
        lost = (found == 0).nonzero()[0]
        raw = text[pl.Series(lost.astype(np.uint32))].to_list()
        written = _written_otherwise if texts.has_values and not texts.verbatim else _has_spaces
        other = [k for k, t in zip(lost.tolist(), raw, strict=True) if t and written(t)]
        if other:
            found[other] = _found_otherwise(texts, text[other])
    return ids


def _found_otherwise(texts: TextLookup, raw: pl.Series) -> Int32s:
    canonical = to_text(raw, texts.rules, verbatim=texts.verbatim)
    found: Int32s = find_texts([(texts.now or texts, canonical)])[0]
    if texts.now is not None:
        earlier = find_texts([(texts, earlier_text(raw))])[0]
        np.copyto(found, earlier, where=earlier != 0)
    return found


def _has_spaces(text: str) -> bool:
    return text[0].isspace() or text[-1].isspace()


def _written_otherwise(text: str) -> bool:
    """Whether the text may be canonical in another writing: all that is has a sign of it."""
    return _has_spaces(text) or _SIGN.search(text) is not None


def _hashes(text: pl.Series, seed: int) -> UInt64s:
    # Of a frame: hashing a series goes through the query engine, which takes longer than hashing.
    return text.to_frame().hash_rows(seed=seed).to_numpy()
