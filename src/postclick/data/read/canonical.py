"""Raw frames to canonical frames: the same names and types whatever the log was written in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from postclick.data import manifest as m
from postclick.data.read.columns_at_once import side_by_side
from postclick.data.read.values import (
    EXAMPLES,
    Trouble,
    flatten,
    rebuild,
    to_label,
    to_lists,
    to_number,
    to_text,
)
from postclick.data.schema import LogSchema, MultiCategorical
from postclick.errors import InputError

# Columns of a canonical frame that are not stored.
KEY, TIME, ROW = "__key", "__time", "__row"
# Kinds of trouble.
NOT_BINARY, UNREADABLE, INFINITE = "not-binary", "unreadable", "infinite"
LENGTHS, NO_WEIGHT = "lengths", "no-weight"
TRUTH_RANGE, NO_TRUTH, UNREADABLE_TIME = "truth-range", "no-truth", "unreadable-time"


@dataclass
class Issues:
    """How many rows had which trouble in which column; adds up over chunks."""

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def add(self, kind: str, column: str, trouble: Trouble) -> None:
        if trouble.rows:
            self.rows[kind, column] += trouble.rows
            seen = self.examples.get((kind, column), ())
            self.examples[kind, column] = tuple(dict.fromkeys(seen + trouble.examples))[:EXAMPLES]

    def merge(self, other: "Issues") -> None:
        for (kind, column), rows in other.rows.items():
            self.add(kind, column, Trouble(rows, other.examples[kind, column]))


def stored_names(schema: LogSchema) -> list[str]:
    """Every column name that canonical frames and shards may use for this schema.

    Raises:
        InputError: two of them clash, so that a feature has to be renamed.
    """
    names = [*m.RESERVED, KEY, TIME, ROW, *(f.name for f in schema.categorical)]
    for number in schema.numeric:
        names += [number.name]
        names += [number.name + m.MISSING_SUFFIX] if number.transform != "quantile" else []
    for bag in schema.multi:
        names += [bag.name, *([bag.name + m.WEIGHTS_SUFFIX] if bag.weights else [])]
    clash = next((name for name, count in Counter(names).items() if count > 1), None)
    if clash is not None:
        raise InputError(
            f"feature name {clash!r} is used by prepared data itself: rename that column in the log"
        )
    return names


class Canonicalizer:
    """Turns frames of one log into canonical frames.

    A canonical frame has `click` and `conversion` (Int8, null where not 0/1), categorical
    features (String), numeric ones (Float64), multi-valued ones (List(String)) with
    `<name>__weights` (List(Float64)), the truth columns that the log has (Float64), and for
    checks `__key` (a hash of `schema.key`) and `__time` (Float64).

    Attributes:
        reads: the raw columns it needs, to be passed to `LogSource.frames`.
        missing: columns that the schema names and the log lacks, truth columns left out.
        truth: prepared names of the truth columns that the log has.

    >>> schema = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["shop"]})
    >>> canonical = Canonicalizer(schema, ["c", "v", "shop"])
    >>> log = pl.DataFrame({"c": [1, 0], "v": ["1", "0"], "shop": [7.0, None]})
    >>> canonical.convert(log, Issues())
    shape: (2, 3)
    ┌───────┬────────────┬──────┐
    │ click ┆ conversion ┆ shop │
    │ ---   ┆ ---        ┆ ---  │
    │ i8    ┆ i8         ┆ str  │
    ╞═══════╪════════════╪══════╡
    │ 1     ┆ 1          ┆ 7    │
    │ 0     ┆ 0          ┆ null │
    └───────┴────────────┴──────┘
    """

    def __init__(self, schema: LogSchema, columns: Sequence[str], *, labels: bool = True) -> None:
        """`labels=False` reads features alone, as scoring does."""
        stored_names(schema)
        self._schema = schema
        self._labels = labels
        have = set(columns)
        features = [*schema.feature_names, *schema.weight_columns]
        others = [schema.click, schema.conversion, *schema.key]
        others += [schema.time] if schema.time else []
        wanted = features + (others if labels else [])
        self.missing = tuple(dict.fromkeys(c for c in wanted if c not in have))
        raw = (schema.truth.ctr, schema.truth.cvr, schema.truth.conversion)
        pairs = zip(m.TRUTH_COLUMNS, raw, strict=True)
        self._truth = {k: name for k, name in pairs if labels and name is not None and name in have}
        self.truth = tuple(self._truth)
        self.reads = tuple(dict.fromkeys(c for c in (*wanted, *self._truth.values()) if c in have))

    def convert(self, frame: pl.DataFrame, issues: Issues) -> pl.DataFrame:
        """The canonical frame of `frame`; what could not be read is counted in `issues`."""
        schema = self._schema
        columns: list[pl.Series] = []
        if self._labels:
            for name, raw in ((m.CLICK, schema.click), (m.CONVERSION, schema.conversion)):
                label, bad = to_label(frame[raw])
                issues.add(NOT_BINARY, raw, bad)
                columns.append(label.alias(name))
        columns += side_by_side(lambda f: to_text(frame[f.name]), schema.categorical)
        columns += [self._number(frame[f.name], issues) for f in schema.numeric]
        for bag in schema.multi:
            columns += self._bag(frame, bag, issues)
        for name, raw in self._truth.items():
            columns.append(self._true(frame[raw], name, issues))
        if self._labels and schema.key:
            keys = pl.DataFrame([to_text(frame[name]) for name in schema.key])
            columns.append(keys.hash_rows(seed=0).alias(KEY))
        if self._labels and schema.time:
            columns.append(self._time(frame[schema.time], issues))
        return pl.DataFrame(columns)

    def _number(self, column: pl.Series, issues: Issues) -> pl.Series:
        number, unreadable, infinite = to_number(column)
        issues.add(UNREADABLE, column.name, unreadable)
        issues.add(INFINITE, column.name, infinite)
        return number

    def _bag(self, frame: pl.DataFrame, bag: MultiCategorical, issues: Issues) -> list[pl.Series]:
        lists = to_lists(frame[bag.name], bag.separator)
        weights = None
        if bag.weights is not None:
            weights = to_lists(frame[bag.weights], bag.separator)
            differ = lists.list.len().fill_null(0) != weights.list.len().fill_null(0)
            issues.add(LENGTHS, bag.name, Trouble.of(frame[bag.name], differ))
            if bool(differ.any()):
                lists, weights = lists.set(differ, None), weights.set(differ, None)
        values, offsets = flatten(lists)
        text = to_text(values)
        text = text.set((text == "").fill_null(False), None)
        keep = text.is_not_null()
        if not bool(keep.all()):  # a trailing separator, say
            kept_before = np.concatenate(([0], np.cumsum(keep.to_numpy(), dtype=np.int64)))
            new_offsets = kept_before[offsets]
        else:
            new_offsets = offsets
        columns = [rebuild(text.filter(keep), new_offsets).alias(bag.name)]
        if weights is not None:
            raw = flatten(weights)[0].alias(bag.weights or "")
            absent = int((keep & (raw.is_null() | (raw.cast(pl.String) == ""))).sum())
            issues.add(NO_WEIGHT, raw.name, Trouble(absent, ("missing",)))
            number = self._number(raw, issues).filter(keep).fill_null(0.0)
            columns.append(rebuild(number, new_offsets).alias(bag.name + m.WEIGHTS_SUFFIX))
        if bag.max_length is not None:
            columns = [c.list.head(bag.max_length) for c in columns]
        return columns

    def _true(self, column: pl.Series, name: str, issues: Issues) -> pl.Series:
        number = self._number(column, issues)
        wrong = ~number.is_in([0.0, 1.0]) if name == m.POTENTIAL else (number < 0) | (number > 1)
        issues.add(TRUTH_RANGE, column.name, Trouble.of(column, wrong.fill_null(False)))
        issues.add(NO_TRUTH, column.name, Trouble(number.null_count(), ("missing",)))
        return number.alias(name)

    def _time(self, column: pl.Series, issues: Issues) -> pl.Series:
        kind = column.dtype
        if kind.is_temporal():
            number = column.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64)
        elif kind == pl.String:
            number = column.cast(pl.Float64, strict=False)
            if number.null_count() > column.null_count():
                try:
                    moment = column.str.to_datetime(time_unit="us", strict=False)
                    number = moment.cast(pl.Int64).cast(pl.Float64)
                except pl.exceptions.ComputeError:  # no format fits any row
                    number = pl.Series([None] * len(column), dtype=pl.Float64)
        else:
            number = column.cast(pl.Float64)
        unreadable = number.is_null() & column.is_not_null()
        issues.add(UNREADABLE_TIME, column.name, Trouble.of(column, unreadable))
        return number.alias(TIME)
