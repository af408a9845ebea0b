"""The rows of a prepared log as those of a linear model: which column is what, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from postclick.data.arrays import BagArrays, RowArrays
from postclick.data.batch import Bag
from postclick.data.prepared import InputSpec, PreparedLog
from postclick.linear.rows import Block, Floats
from postclick.linear.variances import Groups
from postclick.methods.networks.linear_heads import clipped

# Rows of a block: few enough to be held in several copies, many enough that it pays.
BLOCK_ROWS = 1 << 18


@dataclass(frozen=True)
class Columns:
    """The columns of a linear model of a log's features.

    First one for each value of each field and multi-valued feature, as rows of an embedding table,
    then one for each value of the exposure, then numerics and elements of vectors, further
    columns of the method's own, and the intercept last.

    Attributes:
        exposures: values of the exposure that this model reads, 0 if it reads none.
        further: columns of the method's own.
    """

    inputs: InputSpec
    exposures: int = 0
    further: int = 0

    @property
    def values(self) -> int:
        return sum(self._sizes)

    @property
    def sparse(self) -> int:
        return self.values + self.exposures

    @property
    def numbers(self) -> slice:
        return slice(self.sparse, self.sparse + self.inputs.numeric_width)

    @property
    def own(self) -> slice:
        return slice(self.numbers.stop, self.numbers.stop + self.further)

    @property
    def total(self) -> int:
        return int(self.own.stop) + 1

    @property
    def _sizes(self) -> tuple[int, ...]:
        return (*self.inputs.field_sizes, *self.inputs.bag_sizes)

    def groups(self, own_variance: float) -> Groups:
        """One group for each field, the exposure, all numerics and each vector.

        Values that training has not seen, row 0 of each field, are held at 0; the intercept is
        free, and further columns have the given variance.
        """
        of = np.full(self.total, -1, np.int64)
        own = np.zeros(self.total)
        own[self.own] = own_variance
        own[-1] = np.inf
        group, first = 0, 0
        sizes = (*self._sizes, *((self.exposures,) if self.exposures else ()))
        for size in sizes:
            of[first + 1 : first + size] = group
            group, first = group + 1, first + size
        widths = (self.inputs.numerics, *(size for size, _ in self.inputs.vectors))
        for width in (w for w in widths if w):
            of[first : first + width] = group
            group, first = group + 1, first + width
        return Groups(of, own, group)


@dataclass(frozen=True)
class ClickBlocks:
    """Blocks of the training split of a log, labelled by clicks.

    They can be gone through again and again; a log that does not fit in memory is read each time.

    Attributes:
        rows: the first so many, which are a random sample as rows are shuffled when prepared;
            None for all.
        folds: a row's fold is its number in the split, modulo this.
    """

    log: PreparedLog
    columns: Columns
    rows: int | None = None
    folds: int = 0

    def __iter__(self) -> Iterator[Block]:
        at, limit = 0, self.log.split("train").rows if self.rows is None else self.rows
        for window in self.log.windows("train"):
            for start in range(0, len(window), BLOCK_ROWS):
                if at >= limit:
                    return
                end = min(start + BLOCK_ROWS, len(window), start + limit - at)
                rows = slice(start, end)
                fold = np.arange(at, at + end - start) % self.folds if self.folds else None
                yield block_of(window, rows, window.click, self.columns, fold=fold)
                at += end - start


def conversion_blocks(
    clicked: RowArrays,
    columns: Columns,
    further: Floats,
    fold: NDArray[np.integer[Any]] | None = None,
) -> list[Block]:
    """Blocks of clicked rows, labelled by conversions, with further columns `(n, k)`."""
    return [
        block_of(
            clicked,
            rows,
            clicked.conversion,
            columns,
            further=further[rows],
            fold=None if fold is None else fold[rows],
        )
        for rows in parts(len(clicked))
    ]


def click_blocks(
    rows: RowArrays, columns: Columns, fold: NDArray[np.integer[Any]] | None = None
) -> list[Block]:
    """Blocks of rows in memory, labelled by clicks."""
    return [
        block_of(rows, part, rows.click, columns, fold=None if fold is None else fold[part])
        for part in parts(len(rows))
    ]


def parts(rows: int) -> Iterator[slice]:
    """Rows block by block."""
    for start in range(0, rows, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, rows))


def clicked_rows(log: PreparedLog) -> tuple[RowArrays, NDArray[np.int64]]:
    """The clicked rows of the training split in memory, and their numbers in it."""
    return rows_where(log, lambda click: click > 0)


def rows_where(
    log: PreparedLog, chosen_of: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[RowArrays, NDArray[np.int64]]:
    """Some rows of the training split in memory, and their numbers in it.

    Args:
        chosen_of: which rows, from their clicks; called once for each part of the split.
    """
    batches, numbers, at = [], [], 0
    for window in log.windows("train"):
        chosen = torch.nonzero(chosen_of(window.click)).squeeze(1)
        batches.append(window.take(chosen))
        numbers.append(chosen.numpy() + at)
        at += len(window)

    def joined(name: str) -> torch.Tensor:
        return torch.cat([getattr(one, name) for one in batches])

    bags = tuple(
        _joined_bags([one.bags[k] for one in batches]) for k in range(len(batches[0].bags))
    )
    weighted, exposed = batches[0].weight is not None, batches[0].exposure is not None
    return RowArrays(
        joined("ids").int(),
        joined("numeric"),
        bags,
        joined("click"),
        joined("conversion"),
        weight=joined("weight") if weighted else None,
        exposure=joined("exposure").int() if exposed else None,
    ), np.concatenate(numbers)


def _joined_bags(bags: list[Bag]) -> BagArrays:
    lengths = [bag.offsets.diff(append=bag.offsets.new_tensor([len(bag.values)])) for bag in bags]
    ends = torch.cat([torch.zeros(1, dtype=torch.long), torch.cat(lengths).cumsum(0)])
    return BagArrays(
        torch.cat([bag.values for bag in bags]).int(), ends, torch.cat([b.weights for b in bags])
    )


def block_of(
    window: RowArrays,
    rows: slice,
    label: torch.Tensor,
    columns: Columns,
    *,
    further: Floats | None = None,
    fold: NDArray[np.integer[Any]] | None = None,
) -> Block:
    """Some rows of a window; `label` is of the whole window, `further` of the rows."""
    n, p = rows.stop - rows.start, columns.sparse
    sparse = []
    if window.ids.shape[1]:
        sparse.append(_one_hot(window.ids[rows].numpy(), p))
    sparse += [_bag(bag, rows, p) for bag in window.bags]
    if columns.exposures:
        assert window.exposure is not None
        sparse.append(_one_hot(window.exposure[rows].numpy()[:, None] + columns.values, p))
    numbers = clipped(window.numeric[rows], columns.inputs.numerics).numpy()
    parts = [numbers, np.zeros((n, 0)) if further is None else further, np.ones((n, 1))]
    weight = None if window.weight is None else window.weight[rows].numpy() / window.unit
    return Block(
        tuple(sparse),
        np.concatenate(parts, axis=1, dtype=np.float64),
        label[rows].numpy().astype(np.float64),
        None if weight is None else weight.astype(np.float64),
        fold,
    )


def _one_hot(ids: NDArray[np.integer[Any]], columns: int) -> csr_matrix:
    """`(n, columns)`, each row with a 1 for each of its ids."""
    n, width = ids.shape
    ends = np.arange(0, n * width + 1, width, dtype=np.int32)
    flat = np.ascontiguousarray(ids, dtype=np.int32).ravel()
    return csr_matrix((np.ones(flat.size), flat, ends), (n, columns))


def _bag(bag: BagArrays, rows: slice, columns: int) -> csr_matrix:
    ends = bag.offsets[rows.start : rows.stop + 1].numpy()
    taken = slice(int(ends[0]), int(ends[-1]))
    weights = bag.weights[taken].numpy().astype(np.float64)
    n = rows.stop - rows.start
    return csr_matrix((weights, bag.values[taken].numpy(), ends - ends[0]), (n, columns))
