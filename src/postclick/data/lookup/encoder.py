"""Raw rows to the arrays of a model, as `prepare` encodes them, without a join."""

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.encode.pooling import pooling_weights
from postclick.data.encode.scaling import quantile_ids
from postclick.data.encode.vectors import VectorScaling
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.lookup.earlier_lookup import EarlierLookup, earlier
from postclick.data.lookup.encoded_rows import (
    BagRows,
    EncodedRows,
    Floats32,
    Int32s,
    Layout,
)
from postclick.data.lookup.integer_lookup import IntegerColumns
from postclick.data.lookup.numeric_scaling import NumericScaling, read_number
from postclick.data.lookup.raw_rows import RawRows
from postclick.data.lookup.vocabulary_lookup import VocabularyLookup, find_ids
from postclick.data.manifest import (
    WEIGHTS_SUFFIX,
    BagColumn,
    IdColumn,
    NumericColumn,
    VectorColumn,
)
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.data.read.values.bad_values import BRACKETS, LENGTHS, UNREADABLE
from postclick.data.read.values.bucket_hash import bucket_ids
from postclick.data.read.values.lists import flatten
from postclick.data.read.values.numbers import widened
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.read.values.vectors import LENGTH, TEXT, matrix_of
from postclick.data.schema import Hashed, LogSchema, MultiCategorical, Vector
from postclick.errors import InputError
from postclick.suggest import meant

_TROUBLE = {
    UNREADABLE: "values are not numbers: mend them, or leave them empty",
    BRACKETS: "rows have text with the brackets or quotes of a list, which training did not have: "
    "send lists, or text as in training",
    LENGTHS: "rows have lists and weights of different lengths: mend them",
    TEXT: "values are not numbers: mend them, or leave the vector empty",
}
# What a float64 [n] is that says of each row whether it has a value.
_THERE = 0.0


class ServingEncoder:
    """Encodes raw rows: the columns of the schema, in any type that training accepts.

    Attributes:
        layout: the columns of the arrays.
        columns: raw columns of each feature: its own, and that of its weights.
    """

    def __init__(
        self,
        schema: LogSchema,
        ids: Sequence[IdColumn],
        numerics: Sequence[NumericColumn],
        bags: Sequence[BagColumn],
        vocabularies: Path,
        vectors: Sequence[VectorColumn] = (),
        *,
        canonical: bool = True,
    ) -> None:
        """Raises `InputError` where a vocabulary is missing or is another one.

        `canonical=False` is for vocabularies that were written before values had one form: what
        they have as it was written keeps its id.
        """
        self._ids, self._bags = tuple(ids), tuple(bags)
        self._scaling = NumericScaling(numerics)
        self._vectors = {column.name: VectorScaling(column) for column in vectors}
        self.layout = layout_of(ids, numerics, bags, vectors)
        multi = {bag.name: bag for bag in schema.multi}
        self.columns: dict[str, tuple[str, ...]] = {}
        for name in self.layout.features:
            weights = multi[name].weights if name in multi else None
            self.columns[name] = (name,) if weights is None else (name, weights)
        self._rules = ValueRules.of(schema)
        verbatim = {f.name: f.verbatim for f in schema.categorical}
        verbatim |= {f.name: f.verbatim for f in schema.multi}
        lookup = VocabularyLookup if canonical else EarlierLookup
        self._values = {
            name: lookup(_load(vocabularies, name, size), self._rules, verbatim=verbatim[name])
            for name, size in vocabulary_sizes(ids, bags)
        }
        apart: tuple[MultiCategorical | Hashed | Vector, ...]
        apart = (*schema.multi, *schema.hashed, *schema.vector)
        self._canonical = {feature.name: _alone(schema, feature) for feature in apart}
        if not canonical:
            for bag in schema.multi:
                self._canonical[bag.name].rules = earlier(self._rules)

    def warm(self) -> None:
        """Build now what the first rows of text or integers would build."""
        for values in self._values.values():
            values.warm()
        _ = self._integers

    @cached_property
    def _integers(self) -> IntegerColumns:
        """Of the id columns; one that is made of bins or hashed has no values."""
        empty = VocabularyLookup(pl.Series([], dtype=pl.String))
        return IntegerColumns(
            [(self._values[c.name] if c.has_vocabulary else empty).signed for c in self._ids]
        )

    def encode(self, rows: RawRows, features: Collection[str] | None = None) -> EncodedRows:
        """The rows as arrays.

        Args:
            features: what to encode, by default all features.

        Raises:
            InputError: a column is missing, or holds what cannot be read.
        """
        wanted = dict.fromkeys(self.layout.features if features is None else features)
        self._require(rows.names, wanted)
        ids = self._encode_ids(rows, wanted)
        numeric = self._encode_numbers(rows, wanted)
        bags = tuple(
            self._bag(rows, bag) if bag.name in wanted else BagRows.empty(rows.height)
            for bag in self._bags
        )
        return EncodedRows(self.layout, frozenset(wanted), ids, numeric, bags)

    def _encode_numbers(self, rows: RawRows, wanted: Collection[str]) -> Floats32:
        read = {name: self._read_apart(rows, name) for name in self._vectors if name in wanted}
        numbers = {}
        for name in dict.fromkeys(column.source for column in self._scaling.columns):
            if name in read:
                numbers[name] = np.where(read[name].is_null().to_numpy(), np.nan, _THERE)
            elif name in wanted:
                numbers[name] = read_number(rows.column(name), self._rules)
        if numbers:
            numeric = self._scaling.scale(numbers)
        else:
            numeric = np.zeros((rows.height, len(self._scaling.columns)), dtype=np.float32)
        if not self._vectors:
            return numeric
        parts = [numeric]
        for name, scaling in self._vectors.items():
            size = scaling.column.size
            if name in read:
                parts.append(scaling.scale(matrix_of(read[name], size)))
            else:
                parts.append(np.zeros((rows.height, size), dtype=np.float32))
        return np.concatenate(parts, axis=1)

    def _encode_ids(self, rows: RawRows, wanted: Collection[str]) -> Int32s:
        ids = np.zeros((rows.height, len(self._ids)), dtype=np.int32)
        listed: dict[int, tuple[VocabularyLookup, pl.Series]] = {}
        whole: dict[int, int] = {}
        for k, column in enumerate(self._ids):
            if column.name not in wanted:
                continue
            if column.edges is not None:
                ids[:, k] = quantile_ids(
                    read_number(widened(rows.column(column.name)), self._rules), column.edges
                )
            elif column.hashed:
                texts = self._read_apart(rows, column.name)
                ids[:, k] = bucket_ids(texts, column.size - 1)
            elif (place := rows.place.get(column.name)) is not None:
                whole[k] = place
            else:
                listed[k] = self._values[column.name], rows.frame.get_column(column.name)
        for k, found in zip(listed, find_ids(list(listed.values())), strict=True):
            ids[:, k] = found
        if whole:
            which, places = np.array(list(whole)), np.array(list(whole.values()))
            ids[:, which] = self._integers.find(rows.matrix[:, places], which)
        return ids

    def _require(self, given: Sequence[str], features: Collection[str]) -> None:
        unknown = [name for name in features if name not in self.columns]
        if unknown:
            have = ", ".join(self.columns)
            raise InputError(
                f"the bundle has no feature {unknown[0]!r}{meant(unknown[0], self.columns)}"
                f"; it has {have}"
            )
        have_columns = set(given)
        names = dict.fromkeys(c for name in features for c in self.columns[name])
        missing = [name for name in names if name not in have_columns]
        if missing:
            have = ", ".join(given[:12]) + (", ..." if len(given) > 12 else "")
            raise InputError(
                f"no column {', '.join(repr(c) + meant(c, given) for c in missing)} among the "
                f"rows to score; they have {have or 'none'}: give every feature that the model was "
                "trained on"
            )

    def _convert(self, rows: RawRows, name: str) -> pl.DataFrame:
        """The canonical columns of one feature."""
        issues = Issues()
        canonical = self._canonical[name].convert(rows.some(self.columns[name]), issues)
        for (kind, column), count in issues.rows.items():
            if kind in _TROUBLE:
                such = ", ".join(issues.examples[kind, column])
                raise InputError(f"column {column!r}: {count:,} {_TROUBLE[kind]} (such as {such})")
            if kind.startswith(LENGTH):
                length, size = kind.removeprefix(LENGTH), self._vectors[column].column.size
                raise InputError(
                    f"column {column!r}: {count:,} rows hold {length} elements instead of {size}: "
                    "send vectors of the size that the model was trained on"
                )
        return canonical

    def _read_apart(self, rows: RawRows, name: str) -> pl.Series:
        return self._convert(rows, name)[name]

    def _bag(self, rows: RawRows, bag: BagColumn) -> BagRows:
        canonical = self._convert(rows, bag.name)
        text, offsets = flatten(canonical[bag.name])
        if bag.weighted:
            weights = flatten(canonical[bag.name + WEIGHTS_SUFFIX])[0].to_numpy().astype(np.float32)
        else:
            weights = np.ones(len(text), dtype=np.float32)
        weights = pooling_weights(weights, np.diff(offsets), bag.pooling)
        return BagRows(self._values[bag.name].of_elements(text), offsets, weights)


def _alone(schema: LogSchema, feature: MultiCategorical | Hashed | Vector) -> Canonicalizer:
    """What reads one feature as training does, and nothing else."""
    kinds = ("categorical", "numeric", "multi", "hashed", "vector")
    alone = {kind: tuple(f for f in getattr(schema, kind) if f is feature) for kind in kinds}
    weights = feature.weights if isinstance(feature, MultiCategorical) else None
    columns = [feature.name, weights or feature.name]
    return Canonicalizer(schema.model_copy(update=alone), columns, labels=False)


def layout_of(
    ids: Sequence[IdColumn],
    numerics: Sequence[NumericColumn],
    bags: Sequence[BagColumn],
    vectors: Sequence[VectorColumn] = (),
) -> Layout:
    """Which feature each column of the arrays belongs to."""
    elements = (vector.name for vector in vectors for _ in range(vector.size))
    return Layout(
        tuple(column.name for column in ids),
        (*(column.source for column in numerics), *elements),
        tuple(column.name for column in bags),
    )


def vocabulary_sizes(ids: Sequence[IdColumn], bags: Sequence[BagColumn]) -> list[tuple[str, int]]:
    """Name and size of each column that has a vocabulary."""
    named = [(column.name, column.size) for column in ids if column.has_vocabulary]
    return named + [(column.name, column.size) for column in bags]


def _load(folder: Path, name: str, size: int) -> pl.Series:
    vocabulary = Vocabulary.load(folder, name)
    ids = vocabulary.table["id"].to_numpy()
    if vocabulary.size != size or not np.array_equal(ids, np.arange(1, size)):
        raise InputError(
            f"the vocabulary of {name!r} in {folder} is another one: export the run again"
        )
    return vocabulary.table["value"]
