"""Whether an exported model predicts what torch does."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from postclick.data.batch import Bag, Batch
from postclick.data.prepared import InputSpec
from postclick.methods.base import Method
from postclick.serving.encoded import BagRows, Encoded, Layout
from postclick.serving.format import Parity
from postclick.serving.runtime import Model
from postclick.serving.scores import Served

ROWS = (1, 7, 1000)
LIMIT = 1e-5
# Lists: as many are empty, the longest is as long as a long history.
SHORT, LONG = 6, 300


def measure_parity(
    method: Method[Any], inputs: InputSpec, model: Model, sizes: Sequence[int] = ROWS
) -> Parity:
    """The largest difference of any probability, over batches of `sizes` rows.

    The rows have unseen ids, missing numbers, and lists that are empty and long.
    """
    largest = 0.0
    served = Served()
    rng = np.random.default_rng(0)
    for size in sizes:
        rows = random_rows(inputs, size, rng)
        with torch.inference_mode():
            prediction = method.predict(batch_of(rows, inputs))
        found = (prediction.ctr, prediction.cvr, prediction.log_ctcvr)
        logits = [logit.float().numpy() for logit in found if logit is not None]
        for expected, exported in zip(
            served.scores(*logits), served.scores(*model.run_at_once(rows)), strict=True
        ):
            difference = np.abs(expected.astype(np.float64) - exported)
            # NaN is no number of which one is the larger: it counts as a difference.
            largest = max(largest, float(np.nan_to_num(difference, nan=np.inf).max()))
    return Parity(rows=tuple(sizes), largest_difference=largest)


def random_rows(inputs: InputSpec, rows: int, rng: np.random.Generator) -> Encoded:
    """Encoded rows of every kind: a tenth of the ids unseen, a tenth of the numbers missing."""
    ids = np.zeros((rows, len(inputs.field_sizes)), dtype=np.int32)
    for k, size in enumerate(inputs.field_sizes):
        ids[:, k] = rng.integers(0, size, rows) * (rng.random(rows) < 0.9)
    numeric = rng.normal(size=(rows, inputs.numerics)).astype(np.float32)
    numeric *= rng.random(numeric.shape) < 0.9
    bags = []
    for size in inputs.bag_sizes:
        lengths = rng.integers(0, SHORT, rows)
        lengths[rows // 2] = LONG
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        total = int(offsets[-1])
        values = rng.integers(0, size, total).astype(np.int32)
        weights = rng.random(total) / np.repeat(np.maximum(lengths, 1), lengths)
        bags.append(BagRows(values, offsets, weights.astype(np.float32)))
    names = (f"id_{k}" for k in range(ids.shape[1]))
    numbers = (f"number_{k}" for k in range(inputs.numerics))
    layout = Layout(tuple(names), tuple(numbers), tuple(f"bag_{k}" for k in range(len(bags))))
    return Encoded(layout, frozenset(layout.features), ids, numeric, tuple(bags))


def batch_of(rows: Encoded, inputs: InputSpec) -> Batch:
    """The rows as a training batch, with labels 0."""
    sizes = (*inputs.field_sizes, *inputs.bag_sizes)
    first = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    fields = len(inputs.field_sizes)
    bags = tuple(
        Bag(
            torch.from_numpy(bag.values.astype(np.int64) + first[fields + k]),
            torch.from_numpy(bag.offsets[:-1]),
            torch.from_numpy(bag.weights),
        )
        for k, bag in enumerate(rows.bags)
        if isinstance(bag, BagRows)
    )
    ids = torch.from_numpy(rows.ids.astype(np.int64) + first[:fields])
    labels = torch.zeros(len(rows))
    return Batch(ids, torch.from_numpy(rows.numeric), bags, labels, labels)
