"""`Encoder`: canonical frames to the columns of prepared data, in training and in scoring."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data import manifest as m
from postclick.data.column_threads import in_threads
from postclick.data.encode.scaling import LARGEST_SCALED, Floats, quantile_ids, signed_log1p
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.read.lists import flatten, rebuild

# From a feature's values to int32 ids [n], 0 where unknown or missing.
Lookup = Callable[[pl.Series], npt.NDArray[np.int32]]


class Encoder:
    """Encodes canonical frames.

    Attributes:
        ids, numerics, bags: the columns it makes, as in the manifest.
    """

    def __init__(
        self,
        ids: tuple[m.IdColumn, ...],
        numerics: tuple[m.NumericColumn, ...],
        bags: tuple[m.BagColumn, ...],
        lookups: Mapping[str, Lookup],
    ) -> None:
        """`lookups` has an entry for each bag and for each id column without edges."""
        self.ids, self.numerics, self.bags = ids, numerics, bags
        self._lookups = lookups
        # Which the log may have if its schema has no group.
        names = [c.name for c in ids] + [c.name for c in numerics] + [c.name for c in bags]
        self._feature_called_group = m.GROUP in names

    @classmethod
    def load(cls, folder: str | Path, manifest: m.Manifest) -> "Encoder":
        """The encoder of the prepared log in `folder`, or of any folder with its vocabularies.

        Raises:
            InputError: a vocabulary is missing or damaged.
        """
        names = [c.name for c in manifest.ids if c.edges is None] + [c.name for c in manifest.bags]
        manifest.check_vocabularies(Path(folder))
        vocabularies = Path(folder) / m.VOCABULARIES
        lookups = {name: Vocabulary.load(vocabularies, name).encode for name in names}
        return cls(manifest.ids, manifest.numerics, manifest.bags, lookups)

    def encode(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The prepared columns of a canonical frame: labels, truth and group if it has them, then
        ids (Int32), numerics (Float32), and bags (List(Int32)) with their weights."""
        columns = [frame[name].cast(pl.Int8) for name in (m.CLICK, m.CONVERSION) if name in frame]
        columns += [
            frame[name].cast(pl.Float32).fill_null(float("nan"))
            for name in m.TRUTH_COLUMNS
            if name in frame
        ]
        columns += [frame[m.GROUP]] if m.GROUP in frame and not self._feature_called_group else []
        columns += in_threads(lambda column: self._ids(frame[column.name], column), self.ids)
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
        return pl.DataFrame(columns)

    def _ids(self, values: pl.Series, column: m.IdColumn) -> pl.Series:
        if column.edges is None:
            return pl.Series(column.name, self._lookups[column.name](values))
        return pl.Series(column.name, quantile_ids(_floats(values), column.edges))


def scale(values: Floats, column: m.NumericColumn) -> npt.NDArray[np.float32]:
    """float32 [n]: (f(x) - mean) / std with 0 where x is missing, or the missing flag."""
    missing = np.isnan(values)
    if column.transform == "missing_flag":
        return missing.astype(np.float32)
    if column.transform == "log1p":
        values = signed_log1p(values)
    with np.errstate(over="ignore"):
        scaled = np.where(missing, 0.0, (values - column.mean) / column.std)
    return scaled.clip(-LARGEST_SCALED, LARGEST_SCALED).astype(np.float32)


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).to_numpy()
