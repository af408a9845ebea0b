"""`PreparedLog`: a prepared log on disk, opened for training, scoring and judging."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from postclick.data.arrays import RowArrays, read_rows
from postclick.data.batch import Bag, Batch
from postclick.data.exposure_values import ExposureValues, exposure_values
from postclick.data.manifest import FILE_NAME, Manifest, Split
from postclick.system.checksums import check_file

# A split larger than this is streamed shard by shard instead of being held in memory.
IN_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class BaseRates:
    """Training frequencies at which output biases start: P(click), P(conversion | click)."""

    ctr: float
    cvr: float


@dataclass(frozen=True)
class InputSpec:
    """The shape of a batch, all that a network has to know of a log.

    Attributes:
        field_sizes: embedding rows of each id column, row 0 of a field included.
        bag_sizes: embedding rows of each multi-valued column.
        numerics: number of numeric inputs.
        bag_targets: for each multi-valued column the id column that its elements are weighed by,
            if it is pooled by attention; none are, if it is empty.
        vectors: size of each vector, and the numbers that it is projected to, None if it is not.
        exposure: the exposure's values among the training impressions; None if there is none.
    """

    field_sizes: tuple[int, ...]
    bag_sizes: tuple[int, ...]
    numerics: int
    bag_targets: tuple[int | None, ...] = ()
    vectors: tuple[tuple[int, int | None], ...] = ()
    exposure: ExposureValues | None = None

    @property
    def numeric_width(self) -> int:
        """Columns of a batch's numeric inputs: those of vectors stand behind the numerics."""
        return self.numerics + sum(size for size, _ in self.vectors)

    def empty_batch(self) -> Batch:
        """A batch of no rows.

        >>> len(InputSpec((3, 2), (), 1).empty_batch())
        0
        """
        none, real = torch.empty(0, dtype=torch.long), torch.empty(0)
        return Batch(
            none.reshape(0, len(self.field_sizes)),
            real.reshape(0, self.numeric_width),
            tuple(Bag(none, none, real) for _ in self.bag_sizes),
            real,
            real,
            exposure=None if self.exposure is None else none,
        )


class PreparedLog:
    """A prepared log in `folder`; opening reads the manifest only.

    Raises:
        InputError: the folder is not a prepared log, or its manifest is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = Manifest.read(self.folder)
        self._cache: dict[str, RowArrays] = {}
        splits = self.manifest.splits.values()
        self._unchecked = {shard.file: shard.sha256 for s in splits for shard in s.shards}

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint

    @cached_property
    def inputs(self) -> InputSpec:
        manifest = self.manifest
        place = {column.name: number for number, column in enumerate(manifest.ids)}
        return InputSpec(
            tuple(c.size for c in manifest.ids),
            tuple(c.size for c in manifest.bags),
            len(manifest.numerics),
            tuple(None if c.target is None else place[c.target] for c in manifest.bags),
            tuple((c.size, c.project) for c in manifest.vectors),
            self._exposure_values(),
        )

    @cached_property
    def base_rates(self) -> BaseRates:
        """Laplace-smoothed rates of the training split, so that no logit is infinite.

        Rows count by their weights, if they have some: one more click among two more impressions,
        or less where rows stand for less than an impression.
        """
        train = self.split("train")
        sums = train.weight or train
        one = min(1.0, train.mean_weight)
        return BaseRates(
            (sums.clicks + one) / (sums.rows + 2 * one),
            (sums.conversions + one) / (sums.clicks + 2 * one),
        )

    def _exposure_values(self) -> ExposureValues | None:
        column = self.manifest.exposure
        if column is None:
            return None
        one = min(1.0, self.split("train").mean_weight)
        return exposure_values(column, self.manifest.negative_rate, self.base_rates.ctr, one)

    def write_manifest(self, folder: Path) -> None:
        """Write what this log's manifest says to `folder`, to the byte."""
        shutil.copyfile(self.folder / FILE_NAME, folder / FILE_NAME)

    def split(self, name: str) -> Split:
        return self.manifest.split(name)

    def fits_in_memory(self, name: str) -> bool:
        row_bytes = 4 * (len(self.manifest.ids) + self.inputs.numeric_width + 2)
        row_bytes += 200 * len(self.manifest.bags)
        row_bytes += 8 if self.manifest.log_schema.group else 0
        row_bytes += 4 if self.manifest.log_schema.weight else 0
        row_bytes += 4 if self.manifest.exposure is not None else 0
        return self.split(name).rows * row_bytes <= IN_MEMORY_BYTES

    def rows(self, name: str) -> RowArrays:
        """A whole split in memory, kept for the next call."""
        if name not in self._cache:
            files = [shard.file for shard in self.split(name).shards]
            self._cache[name] = self._read(files)
        return self._cache[name]

    def _read(self, files: list[str]) -> RowArrays:
        """Rows of shards, each of which is checked the first time."""
        for file in files:
            if file in self._unchecked:
                sha256, mend = self._unchecked[file], "run 'postclick prepare' again"
                check_file(self.folder / file, sha256, "shard", mend)
                del self._unchecked[file]
        return read_rows(self.folder, self.manifest, files)

    def windows(self, name: str, order: list[int] | None = None) -> Iterator[RowArrays]:
        """The split as one array if it fits in memory, else shard by shard.

        `order` permutes the shards; while one is used the next is read.
        """
        if self.fits_in_memory(name):
            yield self.rows(name)
            return
        files = [shard.file for shard in self.split(name).shards]
        queue = [files[k] for k in (order if order is not None else range(len(files)))]
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, queue[:1])
            for k in range(len(queue)):
                current = ahead.result()
                if k + 1 < len(queue):
                    ahead = reader.submit(self._read, queue[k + 1 : k + 2])
                yield current

    def steps(self, name: str, batch_size: int) -> int:
        """Number of batches in one pass over the split."""
        if self.fits_in_memory(name):
            return -(-self.split(name).rows // batch_size)
        return sum(-(-shard.rows // batch_size) for shard in self.split(name).shards)

    def shuffled(self, name: str, batch_size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
        """One pass in random order: the same for the same seed. `skip` leaves out batches."""
        generator = torch.Generator().manual_seed(seed)
        shards = len(self.split(name).shards)
        order: list[int] = torch.randperm(shards, generator=generator).tolist()
        for window in self.windows(name, order):
            permutation = torch.randperm(len(window), generator=generator)
            for rows in torch.split(permutation, batch_size):
                if skip > 0:
                    skip -= 1
                    continue
                yield window.take(rows)

    def sequential(self, name: str, batch_size: int) -> Iterator[tuple[Batch, RowArrays, Tensor]]:
        """One pass in stored order: batch, the arrays it came from, and its row numbers."""
        for window in self.windows(name):
            for rows in torch.split(torch.arange(len(window)), batch_size):
                yield window.take(rows), window, rows
