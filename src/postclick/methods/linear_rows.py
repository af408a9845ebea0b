"""The rows of a prepared log as those of a linear model, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from postclick.data.arrays import BagArrays, RowArrays
from postclick.data.batch import Bag
from postclick.data.prepared import PreparedLog
from postclick.linear.rows import Block, Floats
from postclick.methods.linear_columns import Columns
from postclick.methods.networks.linear_heads import clipped

# Rows of a block: few enough to be held in several copies, many enough that it pays.
BLOCK_ROWS = 1 << 18


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
    """`(n, columns)`, each row with a 1 for each of its ids, which rise."""
    n, width = ids.shape
    ends = np.arange(0, n * width + 1, width, dtype=np.int32)
    flat = np.ascontiguousarray(ids, dtype=np.int32).ravel()
    found = csr_matrix((_ones(flat.size), flat, ends), (n, columns))
    # Fields have their values side by side in one order, so ids rise along a row.
    found.has_canonical_format = True
    return found


@lru_cache(4)
def _ones(size: int) -> Floats:
    """Entries of one-hot matrices, which share them: nearly all blocks are of one size."""
    return np.ones(size)


def _bag(bag: BagArrays, rows: slice, columns: int) -> csr_matrix:
    ends = bag.offsets[rows.start : rows.stop + 1].numpy()
    taken = slice(int(ends[0]), int(ends[-1]))
    weights = bag.weights[taken].numpy().astype(np.float64)
    n = rows.stop - rows.start
    return csr_matrix((weights, bag.values[taken].numpy(), ends - ends[0]), (n, columns))
