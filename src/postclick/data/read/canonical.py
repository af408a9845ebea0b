"""Raw frames to canonical frames: the same names and types whatever the log was written in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from postclick.data import manifest as m
from postclick.data.column_threads import in_threads
from postclick.data.read.values.bad_values import (
    EXAMPLES,
    UNREADABLE_TIME,
    BadValues,
    Found,
)
from postclick.data.read.values.canonical_text import ReadText, read_text, to_text
from postclick.data.read.values.group_hash import read_group, text_hash
from postclick.data.read.values.labels import to_funnel
from postclick.data.read.values.lists import to_bag
from postclick.data.read.values.number_spellings import NumberSpellings
from postclick.data.read.values.numbers import read_number_column, to_truth, widened
from postclick.data.read.values.rounded_ids import RoundedIds
from postclick.data.read.values.sample_weight import BAD_WEIGHT, to_weight
from postclick.data.read.values.times import to_time
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.read.values.vectors import to_vector
from postclick.data.schema import Categorical, Hashed, LogSchema
from postclick.errors import InputError

# Columns of a canonical frame that are not stored: the split's number stands in `SPLITS`.
KEY, TIME, ROW, SPLIT = "__key", "__time", "__row", "__split"
TIME_KIND = "__time_kind"


@dataclass
class Issues:
    """How many rows had which bad values in which column; adds up over chunks.

    Attributes:
        rows: by kind of trouble and column.
        examples: a few of the values.
        like_missing: by column and text that looks like a missing value.
        rounded: ids in floating point by column.
        spellings: how decimals are written, by column.
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    like_missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    rounded: dict[str, RoundedIds] = field(default_factory=dict)
    spellings: dict[str, NumberSpellings] = field(default_factory=dict)

    def add(self, kind: str, column: str, bad: BadValues) -> None:
        if bad.rows:
            self.rows[kind, column] += bad.rows
            seen = self.examples.get((kind, column), ())
            self.examples[kind, column] = tuple(dict.fromkeys(seen + bad.examples))[:EXAMPLES]

    def add_text(self, column: str, read: ReadText) -> None:
        """Take in what was odd about a column of categories."""
        if read.spellings.written:
            self.spellings.setdefault(column, NumberSpellings()).merge(read.spellings)
        for token, rows in read.like_missing.items():
            self.like_missing[column, token] += rows
        if read.rounded.rows:
            self.rounded.setdefault(column, RoundedIds()).merge(read.rounded)

    def merge(self, other: "Issues") -> None:
        self.like_missing += other.like_missing
        for column, rounded in other.rounded.items():
            self.rounded.setdefault(column, RoundedIds()).merge(rounded)
        for column, spellings in other.spellings.items():
            self.spellings.setdefault(column, NumberSpellings()).merge(spellings)
        for (kind, column), rows in other.rows.items():
            self.add(kind, column, BadValues(rows, other.examples[kind, column]))


def stored_names(schema: LogSchema) -> list[str]:
    """Every column name that canonical frames and shards may use for this schema.

    Raises:
        InputError: two of them clash, so that a feature has to be renamed.
    """
    names = [*m.RESERVED, *([m.GROUP] if schema.group else []), KEY, TIME, TIME_KIND, ROW, SPLIT]
    names += [m.WEIGHT] if schema.weight else []
    names += [f.name for f in schema.with_vocabulary]
    for number in schema.numeric:
        names += [number.name]
        names += [number.name + m.MISSING_SUFFIX] if number.transform != "quantile" else []
    for bag in schema.multi:
        names += [bag.name, *([bag.name + m.WEIGHTS_SUFFIX] if bag.weights else [])]
    names += [f.name for f in schema.hashed]
    names += [f.name + suffix for f in schema.vector for suffix in ("", m.MISSING_SUFFIX)]
    clash = next((name for name, count in Counter(names).items() if count > 1), None)
    if clash is not None:
        raise InputError(
            f"feature name {clash!r} is used by prepared data itself: rename that column in the log"
        )
    return names


class Canonicalizer:
    """Turns frames of one log into canonical frames.

    A canonical frame has `click` and `conversion` (Int8, null where not 0/1), categorical
    and hashed features and the exposure (String), numeric ones (Float64), multi-valued ones
    (List(String)) with `<name>__weights` (List(Float64)), vectors (List(Float64)), the truth
    columns that the log has (Float64), a hash of the group (Int64, 0 where missing), how many
    impressions a row stands for (`sample_weight`, Float64, null where it cannot be used), and for
    checks `__key` (a hash of `schema.key`), `__time` (Float64) and `__time_kind` (UInt8), as in
    `postclick.data.read.values.times.Times`.

    Attributes:
        rules: how single values are read.
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
        """`labels=False` reads features alone, without the exposure, as scoring does."""
        stored_names(schema)
        self._schema = schema
        self._labels = labels
        self.rules = ValueRules.of(schema)
        one_value = schema.with_vocabulary if labels else schema.categorical
        self._named: tuple[Categorical | Hashed, ...] = (*one_value, *schema.hashed)
        self._verbatim = {feature.name for feature in self._named if feature.verbatim}
        have = set(columns)
        features = [*schema.feature_names, *schema.weight_columns]
        others = [schema.click.column, schema.conversion.column, *schema.key]
        others += [name for name in (schema.time, schema.group, schema.weight) if name]
        others += [schema.exposure.column] if schema.exposure is not None else []
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
        rules = self.rules

        def read(feature: Categorical | Hashed) -> ReadText:
            return read_text(frame[feature.name], rules, verbatim=feature.verbatim)

        texts = in_threads(read, self._named)
        columns: list[pl.Series] = []
        found: Found = []
        if self._labels:
            labels = frame[schema.click.column], frame[schema.conversion.column]
            (click, conversion), found = to_funnel(labels, schema, rules)
            columns += [click.alias(m.CLICK), conversion.alias(m.CONVERSION)]
        for feature, text in zip(self._named, texts, strict=True):
            columns.append(text.text)
            issues.add_text(feature.name, text)
        for number in schema.numeric:
            raw = frame[number.name]
            raw = widened(raw) if number.transform == "quantile" else raw
            values, odd = read_number_column(raw, rules)
            columns.append(values)
            found += odd
        for multi in schema.multi:
            weights = frame[multi.weights] if multi.weights is not None else None
            bags, bad_bags, text = to_bag(frame[multi.name], weights, multi, rules)
            issues.add_text(multi.name, text)
            names = (multi.name, multi.name + m.WEIGHTS_SUFFIX)
            columns += [bag.alias(name) for name, bag in zip(names, bags, strict=False)]
            found += bad_bags
        for vector in schema.vector:
            values, bad_vectors = to_vector(frame[vector.name], vector, rules)
            columns.append(values)
            found += bad_vectors
        for name, column in self._truth.items():
            values, bad_truth = to_truth(frame[column], name == m.POTENTIAL, rules)
            columns.append(values.alias(name))
            found += bad_truth
        if self._labels and schema.key:
            keys = pl.DataFrame(
                to_text(frame[name], rules, verbatim=name in self._verbatim) for name in schema.key
            )
            columns.append(keys.hash_rows(seed=0).alias(KEY))
        if self._labels and schema.time:
            times = to_time(frame[schema.time], rules)
            columns += [times.time.alias(TIME), times.kind.alias(TIME_KIND)]
            found.append((UNREADABLE_TIME, schema.time, times.unreadable))
        if self._labels and schema.group:
            verbatim = schema.group in self._verbatim
            group = read_group(frame[schema.group], rules, verbatim=verbatim)
            columns.append(pl.Series(m.GROUP, text_hash(group.text)))
            if schema.group not in schema.feature_names:
                issues.add_text(schema.group, group)
        if self._labels and schema.weight:
            weight, bad = to_weight(frame[schema.weight], rules)
            columns.append(weight.alias(m.WEIGHT))
            found.append((BAD_WEIGHT, schema.weight, bad))
        for kind, name, bad in found:
            issues.add(kind, name, bad)
        return pl.DataFrame(columns)
