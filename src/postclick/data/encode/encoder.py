"""`Encoder`: canonical frames to the columns of prepared data, in training and in scoring."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data import manifest as m
from postclick.data.column_threads import in_threads
from postclick.data.encode.scaling import LARGEST_SCALED, hold_within, quantile_ids
from postclick.data.encode.vectors import VectorScaling
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.numbers.moments import Floats, signed_log1p
from postclick.data.read.values.bucket_hash import bucket_ids
from postclick.data.read.values.lists import flatten, rebuild
from postclick.data.read.values.vectors import matrix_of

# From a feature's values to int32 ids [n], 0 where unknown or missing.
Lookup = Callable[[pl.Series], npt.NDArray[np.int32]]


class Encoder:
    """Encodes canonical frames.

    Attributes:
        ids, numerics, bags, vectors: the columns it makes, as in the manifest.
        exposure: name of the exposure's column, which frames to be scored need not have.
    """

    def __init__(
        self,
        ids: tuple[m.IdColumn, ...],
        numerics: tuple[m.NumericColumn, ...],
        bags: tuple[m.BagColumn, ...],
        lookups: Mapping[str, Lookup],
        vectors: tuple[m.VectorColumn, ...] = (),
        exposure: str | None = None,
    ) -> None:
        """`lookups` has an entry for each bag, for each id column without edges, and for the
        exposure."""
        self.ids, self.numerics, self.bags, self.vectors = ids, numerics, bags, vectors
        self.exposure = exposure
        self._lookups = lookups
        self._scalings = [VectorScaling(column) for column in vectors]
        # A feature may have such a name if the schema has no group, or no weight.
        names = {c.name for columns in (ids, numerics, bags, vectors) for c in columns}
        names |= {exposure} if exposure is not None else set()
        self._of_rows = {m.GROUP: pl.Int64, m.WEIGHT: pl.Float32}
        self._of_rows = {name: kind for name, kind in self._of_rows.items() if name not in names}

    @classmethod
    def load(cls, folder: str | Path, manifest: m.Manifest) -> "Encoder":
        """The encoder of the prepared log in `folder`, or of any folder with its vocabularies.

        Raises:
            InputError: a vocabulary is missing or damaged.
        """
        names = [c.name for c in manifest.ids if c.has_vocabulary]
        names += [c.name for c in manifest.bags]
        exposure = None if manifest.exposure is None else manifest.exposure.name
        names += [exposure] if exposure is not None else []
        manifest.check_vocabularies(Path(folder))
        vocabularies = Path(folder) / m.VOCABULARIES
        lookups: dict[str, Lookup]
        lookups = {name: Vocabulary.load(vocabularies, name).encode for name in names}
        for column in manifest.ids:
            if column.hashed:
                lookups[column.name] = partial(bucket_ids, buckets=column.size - 1)
        columns = (manifest.ids, manifest.numerics, manifest.bags)
        return cls(*columns, lookups, manifest.vectors, exposure)

    def encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The prepared columns of a canonical frame: labels, truth, group and weight if it has
        them, then ids (Int32; behind them the exposure, if it has one), numerics (Float32), bags
        (List(Int32)) with their weights, and vectors (Array(Float32, size))."""
        columns = [frame[name].cast(pl.Int8) for name in (m.CLICK, m.CONVERSION) if name in frame]
        columns += [
            frame[name].cast(pl.Float32).fill_null(float("nan"))
            for name in m.TRUTH_COLUMNS
            if name in frame
        ]
        columns += [frame[name].cast(t) for name, t in self._of_rows.items() if name in frame]
        columns += in_threads(lambda column: self._ids(frame[column.name], column), self.ids)
        if self.exposure is not None and self.exposure in frame:
            found = self._lookups[self.exposure](frame[self.exposure])
            columns.append(pl.Series(self.exposure, found))
        for number in self.numerics:
            scaled = scale(_floats(frame[number.source]), number)
            columns.append(pl.Series(number.name, scaled))
        for bag in self.bags:
            values, offsets = flatten(frame[bag.name])
            found = self._lookups[bag.name](values)
            columns.append(rebuild(pl.Series(bag.name, found), offsets))
            if bag.weighted:
                weights = frame[bag.name + m.WEIGHTS_SUFFIX]
                columns.append(weights.cast(pl.List(pl.Float32)))
        for scaling in self._scalings:
            name, size = scaling.column.name, scaling.column.size
            scaled = scaling.scale(matrix_of(frame[name], size))
            columns.append(pl.Series(name, scaled, dtype=pl.Array(pl.Float32, size)))
        return pl.DataFrame(columns)

    def _ids(self, values: pl.Series, column: m.IdColumn) -> pl.Series:
        if column.edges is None:
            return pl.Series(column.name, self._lookups[column.name](values))
        return pl.Series(column.name, quantile_ids(_floats(values), column.edges))


def scale(values: Floats, column: m.NumericColumn) -> npt.NDArray[np.float32]:
    """float32 [n]: (f(x) - mean) / std, f(x) held within the column's limits, with 0 where x is
    missing; or the missing flag."""
    missing = np.isnan(values)
    if column.transform == "missing_flag":
        return missing.astype(np.float32)
    values = signed_log1p(values) if column.transform == "log1p" else values.copy()
    hold_within(values, *column.limits)
    with np.errstate(over="ignore"):
        scaled = np.where(missing, 0.0, (values - column.mean) / column.std)
    return scaled.clip(-LARGEST_SCALED, LARGEST_SCALED).astype(np.float32)


def _floats(column: pl.Series) -> Floats:
    if isinstance(column.dtype, pl.List):  # of a vector only whether it is missing is asked
        return np.where(column.is_null().to_numpy(), np.nan, 0.0)
    return column.cast(pl.Float64).to_numpy()
