"""One pass over training rows fits every vocabulary and scale, and codes the rows on the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data import manifest as m
from postclick.data.column_threads import in_threads
from postclick.data.encode.encoder import Encoder, Lookup
from postclick.data.encode.scaling import EdgeSample
from postclick.data.encode.vocabulary import Vocabulary, VocabularyCounter
from postclick.data.numbers.summary import NumberSummary, summaries_of
from postclick.data.numbers.vector_summary import vector_summaries_of
from postclick.data.read.canonical import KEY, ROW, SPLIT, TIME, TIME_KIND
from postclick.data.read.values.bucket_hash import bucket_ids
from postclick.data.read.values.lists import flatten, rebuild
from postclick.data.row_hash import SAMPLE, hashes_of
from postclick.data.schema import LogSchema, Numeric, Vector

TRAIN = m.SPLITS.index("train")


@dataclass(frozen=True)
class Fitted:
    """What was learned from the training rows.

    Attributes:
        encoder: encodes coded frames, those that `FeatureFitter.add` returned.
        vocabularies: of each categorical and multi-valued feature, and of the exposure.
    """

    encoder: Encoder
    vocabularies: dict[str, Vocabulary]

    def save(self, folder: Path) -> None:
        """Write the vocabularies into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        in_threads(lambda item: item[1].save(folder, item[0]), self.vocabularies.items())


class FeatureFitter:
    """Fits on the training rows of the chunks it is shown, and on no others.

    Attributes:
        numbers: what is known of each number that is standardized, by name.
        vectors: what is known of each column of vectors, by name.
    """

    def __init__(self, schema: LogSchema, seed: int) -> None:
        self._schema = schema
        self._seed = seed
        names = [f.name for f in (*schema.with_vocabulary, *schema.multi)]
        self._counters = {name: VocabularyCounter() for name in names}
        self.numbers = summaries_of(schema)
        self.vectors = vector_summaries_of(schema)
        self._edges = {f.name: EdgeSample() for f in schema.numeric if f.transform == "quantile"}

    def add(self, chunk: pl.DataFrame) -> pl.DataFrame:
        """Learn from a canonical frame with rows and splits; it with codes instead of text."""
        counted = (chunk[SPLIT] == TRAIN).to_numpy()
        coded = in_threads(
            lambda feature: self._counters[feature.name].add(chunk[feature.name], counted),
            self._schema.with_vocabulary,
        )
        numeric = [(f.name, chunk[f.name].to_numpy()[counted]) for f in self._schema.numeric]
        if numeric or self.vectors:
            hashes = hashes_of(chunk[ROW].to_numpy(), self._seed, SAMPLE)[counted]
        if numeric:
            learners: dict[str, NumberSummary | EdgeSample] = {**self.numbers, **self._edges}
            in_threads(lambda column: learners[column[0]].add(column[1], hashes), numeric)
        for bag in self._schema.multi:
            flat, offsets = flatten(chunk[bag.name])
            codes = self._counters[bag.name].add(flat, np.repeat(counted, np.diff(offsets)))
            coded.append(rebuild(codes.alias(bag.name), offsets))
        for hashed in self._schema.hashed:
            ids = bucket_ids(chunk[hashed.name], hashed.buckets)
            coded.append(pl.Series(hashed.name, ids))
        for name, vectors in self.vectors.items():
            vectors.add(chunk[name].filter(pl.Series(counted)), hashes)
        return chunk.drop(KEY, TIME, TIME_KIND, strict=False).with_columns(coded)

    def result(self) -> Fitted:
        """Everything learned."""
        schema = self._schema
        vocabularies, lookups = dict[str, Vocabulary](), dict[str, Lookup]()
        floors = {f.name: f.min_count for f in schema.with_vocabulary}
        floors |= {f.name: f.min_count for f in schema.multi}

        def learned(name: str) -> tuple[Vocabulary, Lookup]:
            counter = self._counters[name]
            vocabulary = Vocabulary.fit(counter.counts(), floors[name] or schema.min_count)
            return vocabulary, CodeLookup(counter.ids_of_codes(vocabulary))

        found = in_threads(learned, self._counters)
        for name, (vocabulary, lookup) in zip(self._counters, found, strict=True):
            vocabularies[name], lookups[name] = vocabulary, lookup
        ids = [m.IdColumn(name=f.name, size=vocabularies[f.name].size) for f in schema.categorical]
        numerics: list[m.NumericColumn] = []
        for number in schema.numeric:
            if number.transform == "quantile":
                edges = self._edges[number.name].edges(number.bins)
                ids.append(m.IdColumn(name=number.name, size=len(edges) + 2, edges=edges))
            else:
                numerics += self._scaled(number)
        bags = [
            m.BagColumn(
                name=f.name,
                size=vocabularies[f.name].size,
                pooling=f.pooling,
                weighted=f.weights is not None,
                target=f.target,
            )
            for f in schema.multi
        ]
        for hashed in schema.hashed:
            ids.append(m.IdColumn(name=hashed.name, size=hashed.buckets + 1, hashed=True))
            lookups[hashed.name] = _as_they_are
        numerics += [self._flag(f.name) for f in schema.vector if self.vectors[f.name].missing]
        vectors = tuple(map(self._vector, schema.vector))
        exposure = None if schema.exposure is None else schema.exposure.column
        columns = (tuple(ids), tuple(numerics), tuple(bags))
        encoder = Encoder(*columns, lookups, vectors, exposure)
        return Fitted(encoder, vocabularies)

    def _scaled(self, number: Numeric) -> list[m.NumericColumn]:
        summary = self.numbers[number.name]
        scale, _ = summary.result()
        transform: Literal["log1p", "standardize"]
        transform = "log1p" if number.transform == "log1p" else "standardize"
        columns = [
            m.NumericColumn(
                name=number.name,
                source=number.name,
                transform=transform,
                mean=scale.mean,
                std=scale.std,
                low=scale.low,
                high=scale.high,
            )
        ]
        if summary.missing:
            columns.append(self._flag(number.name))
        return columns

    @staticmethod
    def _flag(source: str) -> m.NumericColumn:
        name = source + m.MISSING_SUFFIX
        return m.NumericColumn(name=name, source=source, transform="missing_flag")

    def _vector(self, vector: Vector) -> m.VectorColumn:
        scale, _ = self.vectors[vector.name].result()
        scales = vector.standardize
        return m.VectorColumn(
            name=vector.name,
            size=vector.size,
            mean=tuple(scale.mean.tolist()) if scales else (),
            std=tuple(scale.std.tolist()) if scales else (),
            low=tuple(scale.low.tolist()),
            high=tuple(scale.high.tolist()),
            project=vector.project,
        )


def _as_they_are(ids: pl.Series) -> npt.NDArray[np.int32]:
    """The ids of hashed values, which were known when their chunk was read."""
    return ids.to_numpy()


class CodeLookup:
    """Ids of the codes that a `VocabularyCounter` gave."""

    def __init__(self, ids: npt.NDArray[np.int32]) -> None:
        # One more entry, of id 0, for missing values.
        self._ids = np.append(ids, np.int32(0))

    def __call__(self, codes: pl.Series) -> npt.NDArray[np.int32]:
        ids: npt.NDArray[np.int32] = self._ids[codes.fill_null(len(self._ids) - 1).to_numpy()]
        return ids
