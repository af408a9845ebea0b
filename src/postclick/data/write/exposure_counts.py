"""The exposure of a written log: how often each of its values was shown and clicked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import CLICK, WEIGHT, ExposureColumn, Shard
from postclick.data.read.values.exposure_value import exposure_id
from postclick.data.schema import LogSchema


@dataclass(frozen=True)
class TrainedExposure:
    """The exposure's column before its rows are counted.

    Attributes:
        name: of the column.
        size: its ids, id 0 included.
        at: the id at which pCTR is served, None for the average.
        weighted: whether rows have weights.
    """

    name: str
    size: int
    at: int | None
    weighted: bool

    @classmethod
    def find(
        cls, schema: LogSchema, vocabularies: Mapping[str, Vocabulary]
    ) -> "TrainedExposure | None":
        """That of a schema, if it has one.

        Raises:
            InputError: its `at` is no value of the training rows.
        """
        if schema.exposure is None:
            return None
        known = vocabularies[schema.exposure.column]
        at = exposure_id(schema, schema.exposure.at, known.table["value"])
        return cls(schema.exposure.column, known.size, at, schema.weight is not None)


def count_exposures(
    exposure: TrainedExposure | None, folder: Path, shards: Iterable[Shard]
) -> ExposureColumn | None:
    """The column as the manifest has it; rows count by their weights, if they have some.

    Args:
        shards: of the training split, files below `folder`, just written.
    """
    if exposure is None:
        return None
    rows, clicks = np.zeros(exposure.size), np.zeros(exposure.size)
    columns = [exposure.name, CLICK, *([WEIGHT] if exposure.weighted else [])]
    for shard in shards:
        table = pl.read_parquet(folder / shard.file, columns=columns, glob=False)
        ids, click = table[exposure.name].to_numpy(), table[CLICK].to_numpy()
        weight = table[WEIGHT].to_numpy().astype(np.float64) if exposure.weighted else 1.0
        of_row = np.broadcast_to(weight, ids.shape)
        rows += np.bincount(ids, weights=of_row, minlength=exposure.size)
        clicks += np.bincount(ids, weights=of_row * click, minlength=exposure.size)
    return ExposureColumn(
        name=exposure.name,
        size=exposure.size,
        rows=tuple(rows.tolist()),
        clicks=tuple(clicks.tolist()),
        at=exposure.at,
    )
