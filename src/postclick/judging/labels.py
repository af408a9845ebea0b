"""The labels and the known truth of a split, as whole arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from postclick.data.arrays import read_shard
from postclick.data.manifest import CLICK, CONVERSION, GROUP, WEIGHT
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError


@dataclass(frozen=True)
class SplitLabels:
    """What is known of each row of a split beside its features, in stored order.

    Attributes:
        click, conversion: shape (n,); conversion as recorded, False where nobody clicked.
        truth: float32 (n,) each, those of `true_ctr`, `true_cvr` and `potential_conversion` that
            the split has; NaN on rows without.
        group: int64 (n,), a hash of each row's group, 0 without one; None if the schema has no
            `group`.
        weight: float32 (n,), how many impressions each row stands for; None if the schema has no
            `weight`.

    >>> labels = SplitLabels(np.array([True]), np.array([False]), {})
    >>> "true_cvr" in labels.truth
    False
    """

    click: NDArray[np.bool_]
    conversion: NDArray[np.bool_]
    truth: dict[str, NDArray[np.float32]]
    group: NDArray[np.int64] | None = None
    weight: NDArray[np.float32] | None = None


def split_labels(log: PreparedLog, split: str) -> SplitLabels:
    """Read labels and truth of a split; rows are in the order of its stored predictions.

    Only these columns are read, not the features: about 14 bytes a row with all truth columns, and
    8 more with a group, 4 with a weight.

    Raises:
        InputError: there is no such split, or a shard is missing or damaged.

    >>> import tempfile
    >>> from postclick import prepare, simulate
    >>> from postclick.data.read.log_source import FrameSource
    >>> from postclick.data.splits import LogSplits
    >>> raw = simulate("confounded", rows=2_000, ctr=0.3, cvr=0.3, users=50, items=20)
    >>> splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     labels = split_labels(prepare(splits, f"{folder}/data"), "test")
    >>> bool(labels.click[labels.conversion].all()), sorted(labels.truth)
    (True, ['potential_conversion', 'true_ctr', 'true_cvr'])
    """
    found = log.split(split)
    grouped = log.manifest.log_schema.group is not None
    weighted = log.manifest.log_schema.weight is not None
    names = [CLICK, CONVERSION, *found.truth, *([GROUP] if grouped else [])]
    names += [WEIGHT] if weighted else []
    tables = [read_shard(log.folder / shard.file, names) for shard in found.shards]
    if not tables:
        raise InputError(f"{log.folder}: split {split!r} has no shards: prepare the log again")
    table = pa.concat_tables(tables)

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.column(name).to_numpy())

    return SplitLabels(
        column(CLICK) == 1,
        column(CONVERSION) == 1,
        {name: column(name).astype(np.float32) for name in found.truth},
        column(GROUP).astype(np.int64) if grouped else None,
        column(WEIGHT).astype(np.float32) if weighted else None,
    )


def joined(parts: Sequence[SplitLabels]) -> SplitLabels:
    """Parts of one log, which have the same columns, one after the other.

    >>> part = SplitLabels(np.array([True]), np.array([False]), {})
    >>> joined([part, part]).click.tolist()
    [True, True]
    """
    first = parts[0]

    def column(*of: NDArray[Any] | None) -> NDArray[Any]:
        return np.concatenate([values for values in of if values is not None])

    return SplitLabels(
        column(*(part.click for part in parts)),
        column(*(part.conversion for part in parts)),
        {name: column(*(part.truth[name] for part in parts)) for name in first.truth},
        None if first.group is None else column(*(part.group for part in parts)),
        None if first.weight is None else column(*(part.weight for part in parts)),
    )
