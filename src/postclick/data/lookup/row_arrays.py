"""Encoded rows as what methods are given: a batch, or arrays from which batches are taken."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from postclick.data.arrays import BagArrays, RowArrays
from postclick.data.batch import Bag, Batch
from postclick.data.lookup.encoded_rows import BagRows, EncodedRows, SharedBag
from postclick.data.prepared import InputSpec


def batch_of(rows: EncodedRows, inputs: InputSpec) -> Batch:
    """The rows as a training batch, with labels 0."""
    ids, bags = _global_ids(rows, inputs)
    labels = torch.zeros(len(rows))
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(rows.numeric),
        tuple(
            Bag(
                torch.from_numpy(values),
                torch.from_numpy(bag.offsets[:-1]),
                torch.from_numpy(bag.weights),
            )
            for values, bag in bags
        ),
        labels,
        labels,
    )


def arrays_of(
    rows: EncodedRows,
    inputs: InputSpec,
    click: npt.NDArray[Any],
    conversion: npt.NDArray[Any],
    **others: Any,
) -> RowArrays:
    """The rows as those of a prepared log, in their order.

    Args:
        click, conversion: 0 or 1, `(n,)`.
        others: what else `RowArrays` holds.
    """
    ids, bags = _global_ids(rows, inputs)
    return RowArrays(
        torch.from_numpy(ids.astype(np.int32)),
        torch.from_numpy(rows.numeric),
        tuple(
            BagArrays(
                torch.from_numpy(values.astype(np.int32)),
                torch.from_numpy(bag.offsets),
                torch.from_numpy(bag.weights),
            )
            for values, bag in bags
        ),
        torch.from_numpy(click.astype(np.float32)),
        torch.from_numpy(conversion.astype(np.float32)),
        **others,
    )


def unfolded(bag: BagRows | SharedBag) -> BagRows:
    """Each row with values of its own."""
    if isinstance(bag, BagRows):
        return bag
    one, rows = bag.one, len(bag)
    offsets = np.arange(rows + 1) * len(one.values)
    return BagRows(np.tile(one.values, rows), offsets, np.tile(one.weights, rows))


def _global_ids(
    rows: EncodedRows, inputs: InputSpec
) -> tuple[npt.NDArray[np.int64], list[tuple[npt.NDArray[np.int64], BagRows]]]:
    """Embedding rows of one table for all fields: of the ids, and of the values of each bag."""
    sizes = (*inputs.field_sizes, *inputs.bag_sizes)
    first = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    fields = len(inputs.field_sizes)
    bags = [
        (bag.values.astype(np.int64) + first[fields + k], bag)
        for k, bag in enumerate(map(unfolded, rows.bags))
    ]
    return rows.ids.astype(np.int64) + first[:fields], bags
