"""Ids of text: a hash finds the only value that it may be, and the two are compared."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import polars as pl

from postclick.data.read.values import to_text
from postclick.errors import InputError
from postclick.serving.lookup.hash_table import HashTable, Int32s, UInt64s

_SEEDS = 16


class TextLookup:
    """The values of one feature, which are canonical text and each there once.

    >>> texts = TextLookup(pl.Series(["7", "shop"]))
    >>> find_texts([(texts, pl.Series(["shop", None, "7.0"]))]).tolist()
    [[2, 0, 0]]
    >>> find_raw_texts([(texts, pl.Series(["shop", None, "7.0"]))]).tolist()
    [[2, 0, 1]]
    """

    def __init__(self, values: pl.Series) -> None:
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
    def has_whole(self) -> bool:
        """Whether there are whole numbers, which may be written in several ways."""
        return bool(self.values.str.contains(r"^-?\d+$").any())


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
        # What was found is canonical; only what was not may be another way to write a number.
        if not found.all() and texts.has_whole:
            lost = (found == 0).nonzero()[0]
            raw = text[pl.Series(lost.astype(np.uint32))].to_list()
            other = [k for k, t in zip(lost.tolist(), raw, strict=True) if t and _may_be_whole(t)]
            if other:
                found[other] = find_texts([(texts, to_text(text[other]))])[0]
    return ids


def _may_be_whole(text: str) -> bool:
    """Whether `to_text` may take zeros behind the point away."""
    return text[-1] == "0" and ".0" in text


def _hashes(text: pl.Series, seed: int) -> UInt64s:
    # Of a frame: hashing a series goes through the query engine, which takes longer than hashing.
    return text.to_frame().hash_rows(seed=seed).to_numpy()
