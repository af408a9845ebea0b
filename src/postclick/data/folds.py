"""Folds of a training split: prepared logs that lack one of its parts, or have nothing else."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from postclick.data import manifest as m
from postclick.data.arrays import RowArrays, read_shard
from postclick.data.prepared import PreparedLog
from postclick.data.read.values.group_hash import MISSING
from postclick.data.row_hash import FOLDS, Int64s, key_hash, row_hash

Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Consecutive rows of a training split, `length` of them from number `first` on."""

    first: int
    length: int


class Counts(NamedTuple):
    """What a manifest says of some training rows.

    Attributes:
        of: rows, clicks and conversions, `(3,)`.
        weight: the sums of their weights, `(3,)`.
        exposure: sums of the weights of the rows and of the clicks, by id, `(2, ids)`.
    """

    of: Floats
    weight: Floats
    exposure: Floats

    @classmethod
    def sum(cls, parts: Sequence["Counts"]) -> "Counts":
        return cls(*(np.sum(of_parts, axis=0) for of_parts in zip(*parts, strict=True)))


class TrainingFolds:
    """The training split of a log in parts that are drawn at random; a group's rows in one of them.

    Args:
        log: whose other splits the logs of parts have as they are.
        folds: how many parts.
        seed: the same seed draws the same parts.
    """

    def __init__(self, log: PreparedLog, folds: int, seed: int = 0) -> None:
        self.log, self.folds, self.seed = log, folds, seed
        self.rows: dict[str, Rows] = {}
        at = 0
        for shard in log.split("train").shards:
            self.rows[shard.file] = Rows(at, shard.rows)
            at += shard.rows
        self._counts = {file: list(self._count(file)) for file in self.rows}

    def of_rows(self, rows: Rows, group: Int64s | None) -> Int64s:
        """The fold of each of some rows, int64 [rows.length].

        Args:
            group: their hashes; None if the schema has no group. A row without a group is drawn
                on its own.
        """
        hashes = row_hash(*rows, self.seed, FOLDS)
        if group is not None:
            together = key_hash(group.view(np.uint64), self.seed, FOLDS)
            hashes = np.where(group == MISSING, hashes, together)
        return (hashes % np.uint64(self.folds)).astype(np.int64)

    def without(self, fold: int) -> "PartOfTraining":
        """The log without a fold of its training rows."""
        others = [number for number in range(self.folds) if number != fold]
        return self._part(others, f"without-{fold + 1}-of-{self.folds}")

    def only(self, fold: int) -> "PartOfTraining":
        """The log with one fold of its training rows alone."""
        return self._part([fold], f"only-{fold + 1}-of-{self.folds}")

    def _part(self, kept: list[int], name: str) -> "PartOfTraining":
        return PartOfTraining(self, kept, name, self._manifest(kept, name))

    def _count(self, file: str) -> Iterator[Counts]:
        """What there is of each fold in a shard."""
        schema, exposure = self.log.manifest.log_schema, self.log.manifest.exposure
        names = [m.CLICK, m.CONVERSION, *([m.GROUP] if schema.group else [])]
        names += [m.WEIGHT] if schema.weight else []
        names += [exposure.name] if exposure is not None else []
        table = read_shard(self.log.folder / file, names)
        columns = {name: table.column(name).to_numpy() for name in names}
        fold = self.of_rows(self.rows[file], columns.get(m.GROUP))
        for number in range(self.folds):
            part = {name: values[fold == number] for name, values in columns.items()}
            yield _counts(part, exposure)

    def _manifest(self, kept: list[int], name: str) -> m.Manifest:
        whole = self.log.manifest
        train, exposure = whole.split("train"), whole.exposure
        by_file = {file: Counts.sum([of[k] for k in kept]) for file, of in self._counts.items()}
        total = Counts.sum(list(by_file.values()))
        shards = [
            shard.model_copy(update={"rows": int(by_file[shard.file].of[0])})
            for shard in train.shards
            if by_file[shard.file].of[0]  # an empty one would be an empty batch
        ]
        numbers = dict(zip(("rows", "clicks", "conversions"), map(int, total.of), strict=True))
        changed: dict[str, Any] = {**numbers, "shards": tuple(shards)}
        if train.weight is not None:
            sums = dict(zip(numbers, total.weight.tolist(), strict=True))
            changed["weight"] = m.WeightSums(**sums)
        if exposure is not None:
            rows, clicks = (tuple(of_id) for of_id in total.exposure.tolist())
            exposure = exposure.model_copy(update={"rows": rows, "clicks": clicks})
        return whole.model_copy(
            update={
                "splits": {**whole.splits, "train": train.model_copy(update=changed)},
                "exposure": exposure,
                "fingerprint": f"{whole.fingerprint}-{name}-seed-{self.seed}",
            }
        )


def _counts(columns: dict[str, NDArray[Any]], exposure: m.ExposureColumn | None) -> Counts:
    click, conversion = columns[m.CLICK] == 1, columns[m.CONVERSION] == 1
    rows = (np.ones(len(click), bool), click, conversion)
    weight = columns.get(m.WEIGHT, np.ones(len(click))).astype(np.float64)
    shown = np.zeros((2, 0))
    if exposure is not None:
        ids, size = columns[exposure.name], exposure.size
        of_rows = (weight, weight * click)
        shown = np.array([np.bincount(ids, weights=of, minlength=size) for of in of_rows])
    return Counts(
        np.array([of.sum() for of in rows], np.float64),
        np.array([weight[of].sum() for of in rows]),
        shown,
    )


class PartOfTraining(PreparedLog):
    """A prepared log with some folds of its training rows; its other splits are whole.

    Base rates and counts of exposures are those of the rows that it has; weights of rows are in
    units of the mean over the whole training split.

    Attributes:
        name: such as `without-1-of-3`.
    """

    def __init__(
        self, folds: TrainingFolds, kept: list[int], name: str, manifest: m.Manifest
    ) -> None:
        super().__init__(folds.log.folder)
        self.manifest, self.name = manifest, name
        self._folds, self._kept = folds, kept

    def write_manifest(self, folder: Path) -> None:
        self.manifest.write(folder)

    def fits_in_memory(self, name: str) -> bool:
        return self._folds.log.fits_in_memory(name)

    def rows(self, name: str) -> RowArrays:
        if name != "train":
            return self._folds.log.rows(name)
        if name not in self._cache:
            whole = self._folds.log.rows(name)
            self._cache[name] = self._kept_of(whole, Rows(0, len(whole)))
        return self._cache[name]

    def _read(self, files: list[str]) -> RowArrays:
        """Of a split that is streamed: one shard at a time."""
        whole = self._folds.log._read(files)
        if files[0] not in self._folds.rows:
            return whole
        (file,) = files
        return self._kept_of(whole, self._folds.rows[file])

    def _kept_of(self, whole: RowArrays, rows: Rows) -> RowArrays:
        fold = self._folds.of_rows(rows, whole.group)
        kept = torch.from_numpy(np.flatnonzero(np.isin(fold, self._kept)))
        return whole.select(kept)
