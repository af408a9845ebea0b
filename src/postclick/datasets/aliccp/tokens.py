"""Tokens of Ali-CCP's feature lists, parsed block by block without a Python object per token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from postclick.datasets.aliccp.blocks import Block, blocks, in_order
from postclick.datasets.aliccp.digits import (
    PAD,
    Bytes,
    NotANumber,
    Positions,
    decimals,
    hexadecimals,
    integers,
    words,
)
from postclick.datasets.aliccp.fields import FIELDS, LABELS, SAMPLE_ID, Side
from postclick.datasets.aliccp.lines import COLUMNS, MAX_ID, malformed

_COMMA, _BREAK = ord(","), ord("\n")
MISSING = -1


@dataclass(frozen=True)
class Wanted:
    """What of a file is needed: fields whose ids, fields whose values, heads such as `click`."""

    side: Side
    ids: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lines:
    """The parsed lines of a block; per-token arrays are in file order.

    Attributes:
        rows: number of lines.
        key: (rows,) common_feature_index.
        heads: (rows,) each, of the wanted heads and always the labels.
        field: (tokens,) place in `FIELDS[side]`.
        row: (tokens,) the line a token stands in.
        id: (tokens,) where the id was wanted, else undefined.
        value: (tokens,) where the value was wanted, else undefined.
    """

    side: Side
    rows: int
    key: NDArray[np.uint64]
    heads: dict[str, NDArray[np.int64]]
    field: NDArray[np.int8]
    row: NDArray[np.int32]
    id: NDArray[np.int32]
    value: NDArray[np.float32]

    def tokens(self, field: str) -> NDArray[np.int64]:
        """Positions of the tokens of one field."""
        return np.flatnonzero(self.field == FIELDS[self.side].index(field))

    def last_id(self, field: str) -> NDArray[np.int32]:
        """(rows,) id of the last token of the field, `MISSING` where there is none."""
        out = np.full(self.rows, MISSING, np.int32)
        at = self.tokens(field)
        out[self.row[at]] = self.id[at]
        return out

    def last_value(self, field: str) -> NDArray[np.float32]:
        """(rows,) value of the last token of the field, 0 where there is none."""
        out = np.zeros(self.rows, np.float32)
        at = self.tokens(field)
        out[self.row[at]] = self.value[at]
        return out

    def counts(self, field: str) -> NDArray[np.int64]:
        """(rows,) number of tokens of the field."""
        counts: NDArray[np.int64] = np.bincount(self.row[self.tokens(field)], minlength=self.rows)
        return counts


def read_lines(path: Path, wanted: Wanted, workers: int) -> Iterator[Lines]:
    """Parse a whole file, block by block, in order.

    Raises `InputError` with the line number of the first malformed line.
    """
    return in_order(blocks(path), partial(parse, path=path, wanted=wanted), workers)


def parse(block: Block, path: Path, wanted: Wanted) -> Lines:
    """Parse one block; raises `InputError` if a line of it is malformed."""
    try:
        return _parse(block, wanted)
    except (NotANumber, _Malformed):
        raise malformed(
            path, wanted.side, block.text[PAD:], block.first_line, block.unfinished
        ) from None


class _Malformed(ValueError):
    """The block does not follow the format; `malformed` finds out where."""


def _require(condition: bool | np.bool_) -> None:
    if not condition:
        raise _Malformed


def _parse(block: Block, wanted: Wanted) -> Lines:
    text = block.text
    array = np.frombuffer(text, np.uint8)
    # Separators are the only control characters: \x02 \x03 \x01, or \n after the last token.
    marks = np.flatnonzero(array <= _BREAK)
    _require(marks.size % 3 == 0)
    feature, number, end = (np.ascontiguousarray(marks[i::3]) for i in range(3))
    after = array[end]
    closes = after == _BREAK
    _require((array[feature] == 2).all() and (array[number] == 3).all())
    _require((closes | (after == 1)).all())

    rows = int(np.count_nonzero(closes))
    last_of_row = np.flatnonzero(closes)
    first_of_row = np.concatenate(([0], last_of_row[:-1] + 1))
    line = np.concatenate(([PAD], end[last_of_row[:-1]] + 1))
    commas = np.flatnonzero(array == _COMMA)
    columns = COLUMNS[wanted.side] - 1
    _require(commas.size == rows * columns)
    comma = commas.reshape(rows, columns)
    _require((comma[:, 0] > line).all() and (comma[:, -1] < feature[first_of_row]).all())

    start = np.empty_like(end)
    start[1:] = end[:-1] + 1
    start[first_of_row] = comma[:, -1] + 1
    field = _fields(text, start, feature, wanted.side)
    row = np.cumsum(closes, dtype=np.int32) - closes
    heads = _heads(text, array, line, comma, wanted)
    key_start = comma[:, -3] + 1 if wanted.side == "skeleton" else line
    _require((comma[:, -2] - key_start == 16).all())
    if block.unfinished:
        count = integers(text, comma[-1:, -2] + 1, comma[-1:, -1])
        _require(count[0] == feature.size - first_of_row[-1])
    return Lines(
        side=wanted.side,
        rows=rows,
        key=hexadecimals(text, key_start),
        heads=heads,
        field=field,
        row=row,
        id=_ids(text, feature, number, _chosen(field, wanted.side, wanted.ids)),
        value=_values(array, number, end, _chosen(field, wanted.side, wanted.values)),
    )


def _heads(
    text: bytes, array: Bytes, line: Positions, comma: Positions, wanted: Wanted
) -> dict[str, NDArray[np.int64]]:
    if wanted.side == "common":
        return {}
    heads = {}
    for place, name in enumerate(LABELS):
        _require((comma[:, place + 1] - comma[:, place] == 2).all())
        heads[name] = array[comma[:, place] + 1].astype(np.int64) - ord("0")
        _require(((heads[name] == 0) | (heads[name] == 1)).all())
    if SAMPLE_ID in wanted.heads:
        heads[SAMPLE_ID] = integers(text, line, comma[:, 0])
    return heads


@dataclass(frozen=True)
class _Names:
    """The field names of a side as a perfect hash table of their bytes."""

    multiplier: np.uint64
    name: NDArray[np.uint64]
    place: NDArray[np.int8]

    @classmethod
    def build(cls, fields: Sequence[str]) -> "_Names":
        codes = np.array([int.from_bytes(f.encode(), "little") for f in fields], np.uint64)
        rng = np.random.default_rng(0)
        while True:
            multiplier = rng.integers(2**64, dtype=np.uint64) | np.uint64(1)
            slots = cls.slot(codes, multiplier)
            if np.unique(slots).size == slots.size:
                break
        table = cls(multiplier, np.zeros(4096, np.uint64), np.full(4096, -1, np.int8))
        table.name[slots] = codes
        table.place[slots] = np.arange(len(fields))
        return table

    @staticmethod
    def slot(code: NDArray[np.uint64], multiplier: np.uint64) -> NDArray[np.int64]:
        return ((code * multiplier) >> np.uint64(52)).astype(np.int64)


_NAMES: dict[Side, _Names] = {side: _Names.build(fields) for side, fields in FIELDS.items()}


def _fields(text: bytes, start: Positions, end: Positions, side: Side) -> NDArray[np.int8]:
    """Place in `FIELDS[side]` of the names at text[start:end], which have 3 or 6 characters."""
    width = end - start
    long = width == 6
    _require((long | (width == 3)).all())
    before = words(text)[end - 8]
    code = before >> np.uint64(40)
    code[long] = before[long] >> np.uint64(16)
    names = _NAMES[side]
    slot = names.slot(code, names.multiplier)
    _require((names.name[slot] == code).all())
    place: NDArray[np.int8] = names.place[slot]
    return place


def _chosen(field: NDArray[np.int8], side: Side, names: Sequence[str]) -> NDArray[np.int64]:
    chosen = np.array([name in names for name in FIELDS[side]])
    return np.flatnonzero(chosen[field])


def _ids(
    text: bytes, feature: Positions, number: Positions, at: NDArray[np.int64]
) -> NDArray[np.int32]:
    out = np.empty(feature.size, np.int32)
    found = integers(text, feature[at] + 1, number[at])
    _require((found <= MAX_ID).all())
    out[at] = found
    return out


def _values(
    array: Bytes, number: Positions, end: Positions, at: NDArray[np.int64]
) -> NDArray[np.float32]:
    out = np.empty(number.size, np.float32)
    out[at] = decimals(array, number[at] + 1, end[at])
    return out
