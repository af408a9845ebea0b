"""A trained method as an ONNX graph of its serving heads."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from postclick.data.batch import Bag, Batch
from postclick.data.prepared import InputSpec
from postclick.errors import InputError
from postclick.extras import require
from postclick.methods.base import Method
from postclick.nn.embedding import FeatureEmbedding
from postclick.serving.runtime import IDS, NUMERIC, bag_inputs

# An ONNX file is one protobuf message, which holds less than 2 GiB; some of it is the graph.
LARGEST_FILE = (2 << 30) - (64 << 20)
PaddedBag = tuple[Tensor, Tensor]


class PaddedEmbedding(nn.Module):
    """`FeatureEmbedding` with the same weights, whose bags are padded: ids and weights [n, L]."""

    def __init__(self, embedding: FeatureEmbedding) -> None:
        super().__init__()
        self.table, self.fields = embedding.table, embedding.fields
        self.project, self.width = embedding.project, embedding.width

    def forward(self, ids: Tensor, numeric: Tensor, bags: Sequence[PaddedBag] = ()) -> Tensor:
        parts = [F.embedding(ids, self.table).flatten(1)] if self.fields else []
        for values, weights in bags:
            vectors = F.embedding(values, self.table)
            parts.append(torch.bmm(weights.unsqueeze(1), vectors).squeeze(1))
        if numeric.shape[1]:
            parts.append(self.project(numeric))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class ServingGraph(nn.Module):
    """Local ids, numbers and padded bags to logits; adds each field's offset to its ids."""

    def __init__(self, method: Method[Any], inputs: InputSpec) -> None:
        super().__init__()
        self.method = padded(method)
        sizes = (*inputs.field_sizes, *inputs.bag_sizes)
        first = torch.tensor([0, *sizes], dtype=torch.int64).cumsum(0)
        if int(first[-1]) >= 2**31:
            raise InputError(f"{int(first[-1]):,} embedding rows are more than int32 ids can name")
        fields = len(inputs.field_sizes)
        self.register_buffer("first", first[:fields].int(), persistent=False)
        self.first_of_bag = first[fields:-1].tolist()

    def forward(self, ids: Tensor, numeric: Tensor, bags: list[PaddedBag]) -> tuple[Tensor, ...]:
        moved = [
            (values + first, weights)
            for (values, weights), first in zip(bags, self.first_of_bag, strict=True)
        ]
        rows = numeric.new_zeros(numeric.shape[0])
        ids = ids + self.get_buffer("first")
        # Not bags of a training batch: `PaddedEmbedding`, which alone reads them, wants these.
        batch = Batch(ids, numeric, cast("tuple[Bag, ...]", tuple(moved)), rows, rows)
        prediction = self.method.predict(batch)
        found = (prediction.ctr, prediction.cvr, prediction.log_ctcvr)
        return tuple(logit for logit in found if logit is not None)


def padded(method: Method[Any]) -> Method[Any]:
    """A copy that shares the weights and reads padded bags."""
    weights: dict[int, Any] = {id(p): p for p in method.parameters()}
    changed = copy.deepcopy(method, weights).eval()
    for module in list(changed.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, FeatureEmbedding):
                setattr(module, name, PaddedEmbedding(child))
    return changed


def export_graph(
    method: Method[Any], inputs: InputSpec, outputs: Sequence[str], path: Path
) -> None:
    """Write `<path>`, with its weights in `<path>.data` beside it where one file is too small.

    Raises:
        InputError: the packages that write ONNX are not installed.
    """
    require_exporter()
    names, arguments, shapes = _example(inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            ServingGraph(method, inputs).eval(),
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=names,
            output_names=list(outputs),
            verbose=False,
        )
        assert program is not None
        weights = sum(
            value.const_value.nbytes
            for value in program.model.graph.initializers.values()
            if value.const_value is not None
        )
        _drop_unread(program.model.graph)
        _drop_origins(program.model.graph)
        program.save(path, external_data=weights > LARGEST_FILE)


def require_exporter() -> None:
    """Raise `InputError` where the packages that write and run ONNX are missing."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        require(name, "export", "export")


def _example(inputs: InputSpec) -> tuple[list[str], tuple[Any, ...], Any]:
    """Names, example arguments and dynamic dimensions of the graph's inputs.

    Three rows, and lists longer than one: the exporter takes 0 and 1 for constants.
    """
    rows, n = 3, torch.export.Dim("n")
    ids = torch.zeros(rows, len(inputs.field_sizes), dtype=torch.int32)
    numeric = torch.zeros(rows, inputs.numerics)
    names, bags, shapes = [IDS, NUMERIC], [], []
    for number in range(len(inputs.bag_sizes)):
        length = torch.export.Dim(f"length_{number}")
        size = rows, 4 + number
        bags.append((torch.zeros(size, dtype=torch.int32), torch.zeros(size)))
        shapes.append(({0: n, 1: length}, {0: n, 1: length}))
        names += bag_inputs(number)
    return names, (ids, numeric, bags), ({0: n}, {0: n}, shapes)


def _drop_unread(graph: Any) -> None:
    """Inputs without columns are read by nobody: they need not be given."""
    for value in list(graph.inputs):
        if not value.uses() and 0 in value.shape.dims[1:]:
            graph.inputs.remove(value)


def _drop_origins(graph: Any) -> None:
    """Every node tells the lines of Python that it comes from, with the paths of this machine."""
    for node in graph:
        for part in (node, *node.outputs):
            part.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what concerns its own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
