"""Whether an exported model predicts what torch does."""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch

from postclick.calibration.probabilities import ServingCorrections
from postclick.data.lookup.encoded_rows import BagRows, EncodedRows, Layout
from postclick.data.lookup.row_arrays import batch_of, unfolded
from postclick.data.prepared import InputSpec
from postclick.methods.base import Method
from postclick.serving.bundle.bundle_files import Parity
from postclick.serving.bundle.onnx_model import OnnxModel

ROWS = (1, 7, 1000)
LIMIT = 1e-5
# Lists: as many are empty, the longest is as long as a long history.
SHORT, LONG = 6, 300


def measure_parity(
    method: Method[Any],
    inputs: InputSpec,
    layout: Layout,
    model: OnnxModel,
    sizes: Sequence[int] = ROWS,
) -> Parity:
    """The largest difference of any probability, over batches of `sizes` rows.

    The rows have unseen ids, missing numbers, and lists that are empty and long. Where the model
    reads a user apart, they are compared once more with the user of the first row in each.
    """
    largest = 0.0
    corrections = ServingCorrections()
    rng = np.random.default_rng(0)
    for size in sizes:
        rows = random_rows(inputs, layout, size, rng)
        cases: list[tuple[EncodedRows, EncodedRows | None]] = [(rows, None)]
        if model.user_features:
            user = _first_user(rows, model.user_features)
            own = dataclasses.replace(rows, features=rows.features - user.features)
            cases.append((user.beside(own), user))
        for case, user_of in cases:
            with torch.inference_mode():
                prediction = method.predict(batch_of(case, inputs))
            found = (prediction.ctr, prediction.cvr, prediction.log_ctcvr)
            logits = [logit.float().numpy() for logit in found if logit is not None]
            exported = model.run_at_once(case, user_of)
            expected = corrections.probabilities(*logits)
            for theirs, ours in zip(expected, corrections.probabilities(*exported), strict=True):
                difference = np.abs(theirs.astype(np.float64) - ours)
                # NaN is no number of which one is the larger: it counts as a difference.
                largest = max(largest, float(np.nan_to_num(difference, nan=np.inf).max()))
    return Parity(rows=tuple(sizes), largest_difference=largest)


def _first_user(rows: EncodedRows, features: Collection[str]) -> EncodedRows:
    """The first row, of some features."""
    first = tuple(
        BagRows(bag.values[: bag.offsets[1]], bag.offsets[:2], bag.weights[: bag.offsets[1]])
        for bag in map(unfolded, rows.bags)
    )
    return EncodedRows(rows.layout, frozenset(features), rows.ids[:1], rows.numeric[:1], first)


def random_rows(
    inputs: InputSpec, layout: Layout, rows: int, rng: np.random.Generator
) -> EncodedRows:
    """Encoded rows of every kind: a tenth of the ids unseen, a tenth of the numbers missing."""
    ids = np.zeros((rows, len(inputs.field_sizes)), dtype=np.int32)
    for k, size in enumerate(inputs.field_sizes):
        ids[:, k] = rng.integers(0, size, rows) * (rng.random(rows) < 0.9)
    numeric = rng.normal(size=(rows, inputs.numeric_width)).astype(np.float32)
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
    return EncodedRows(layout, frozenset(layout.features), ids, numeric, tuple(bags))
