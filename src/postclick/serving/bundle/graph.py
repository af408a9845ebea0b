"""A trained method as an ONNX graph of its serving heads."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from postclick.data.batch import Bag, Batch
from postclick.data.prepared import InputSpec
from postclick.errors import InputError
from postclick.extras import require
from postclick.methods.base import Method
from postclick.nn.backbones import TaskBackbone, name_of
from postclick.nn.embedding import FeatureEmbedding
from postclick.serving.bundle.column_owners import ColumnOwners
from postclick.serving.bundle.graph_inputs import USER, input_names
from postclick.serving.bundle.padded_embedding import PaddedBag, PaddedEmbedding
from postclick.serving.bundle.partly_shared_rows import whole_input

# An ONNX file is one protobuf message, which holds less than 2 GiB; some of it is the graph.
LARGEST_FILE = (2 << 30) - (64 << 20)
# Ids, numbers and padded bags of the columns of one owner.
OwnedColumns = tuple[Tensor, Tensor, list[PaddedBag]]


class ServingGraph(nn.Module):
    """Local ids, numbers and padded bags to logits; adds each field's offset to its ids."""

    def __init__(self, method: Method[Any], inputs: InputSpec, owners: ColumnOwners) -> None:
        super().__init__()
        self.method = padded(method, owners)
        sizes = (*inputs.field_sizes, *inputs.bag_sizes)
        first = torch.tensor([0, *sizes], dtype=torch.int64).cumsum(0)
        if int(first[-1]) >= 2**31:
            raise InputError(f"{int(first[-1]):,} embedding rows are more than int32 ids can name")
        fields = len(inputs.field_sizes)
        self.first_of_bag: list[list[int]] = []
        for number, owned in enumerate(owners):
            of_ids = first[list(owned.ids)].int()
            self.register_buffer(f"first_{number}", of_ids, persistent=False)
            self.first_of_bag.append([int(first[fields + k]) for k in owned.bags])

    def forward(self, *by_owner: OwnedColumns) -> tuple[Tensor, ...]:
        ids, bags = [], []
        for number, (values, _, lists) in enumerate(by_owner):
            ids.append(values + self.get_buffer(f"first_{number}"))
            first = self.first_of_bag[number]
            bags.append([(v + f, weights) for (v, weights), f in zip(lists, first, strict=True)])
        numeric = [numbers for _, numbers, _ in by_owner]
        rows = numeric[0].new_zeros(numeric[0].shape[0])
        # Not what a training batch has: `PaddedEmbedding`, which alone reads it, wants these.
        batch = Batch(
            cast(Tensor, ids), cast(Tensor, numeric), cast("tuple[Bag, ...]", bags), rows, rows
        )
        prediction = self.method.predict(batch)
        found = (prediction.ctr, prediction.cvr, prediction.log_ctcvr)
        return tuple(logit for logit in found if logit is not None)


def padded(method: Method[Any], owners: ColumnOwners) -> Method[Any]:
    """A copy that shares the weights and reads padded bags."""
    weights: dict[int, Any] = {id(p): p for p in method.parameters()}
    changed = copy.deepcopy(method, weights).eval()
    for module in list(changed.modules()):
        if isinstance(module, TaskBackbone) and not module.takes_first_layer:
            module.register_forward_pre_hook(whole_input)
        for name, child in list(module.named_children()):
            if isinstance(child, FeatureEmbedding):
                setattr(module, name, PaddedEmbedding(child, owners))
    return changed


def export_graph(
    method: Method[Any],
    inputs: InputSpec,
    owners: ColumnOwners,
    outputs: Sequence[str],
    path: Path,
) -> None:
    """Write `<path>`, with its weights in `<path>.data` beside it where one file is too small.

    Where the user owns columns, they are inputs of their own, with as many rows as
    the others or one.

    Raises:
        InputError: the packages that write ONNX are not installed, or the network does what ONNX
            has no words for.
    """
    require_exporter()
    names, arguments, shapes = _example(owners)
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                ServingGraph(method, inputs, owners).eval(),
                arguments,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=names,
                output_names=list(outputs),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause = str(error.__cause__ or error).strip().partition("\n")[0]
            raise InputError(
                f"{method.name} on backbone {name_of(method.kind)} cannot be written as ONNX: "
                f"{cause}: let its forward pass not branch on values, or train on another backbone"
            ) from None
        assert program is not None
        weights = sum(
            value.const_value.nbytes
            for value in program.model.graph.initializers.values()
            if value.const_value is not None
        )
        _drop_unread(program.model.graph)
        if owners.reads_user_apart:
            _free_rows(program.model.graph)
        _drop_origins(program.model.graph)
        program.save(path, external_data=weights > LARGEST_FILE)


def require_exporter() -> None:
    """Raise `InputError` where the packages that write and run ONNX are missing."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        require(name, "export", "export")


def _example(owners: ColumnOwners) -> tuple[list[str], tuple[OwnedColumns, ...], Any]:
    """Names, example arguments and dynamic dimensions of the graph's inputs.

    Three rows, and lists longer than one: the exporter takes 0 and 1 for constants.
    """
    rows, n = 3, torch.export.Dim("n")
    names, arguments, shapes = [], [], []
    for prefix, columns in zip(("", USER), owners, strict=True):
        if prefix and not owners.reads_user_apart:
            continue
        ids = torch.zeros(rows, len(columns.ids), dtype=torch.int32)
        bags, of_bags = [], []
        for number in columns.bags:
            size = rows, 4 + number
            bags.append((torch.zeros(size, dtype=torch.int32), torch.zeros(size)))
            length = torch.export.Dim(f"length_{number}")
            of_bags.append(({0: n, 1: length}, {0: n, 1: length}))
        names += input_names(columns, prefix)
        arguments.append((ids, torch.zeros(rows, len(columns.numerics)), bags))
        shapes.append(({0: n}, {0: n}, of_bags))
    return names, tuple(arguments), (tuple(shapes),)


def _free_rows(graph: Any) -> None:
    """The user's inputs may have one row: nothing says any more that all have as many."""
    for value in graph.inputs:
        if value.name.startswith(USER):
            value.shape = type(value.shape)(["m", *value.shape.dims[1:]])
    kept = set(graph.outputs)
    for node in graph:
        for value in node.outputs:
            if value not in kept:
                value.shape = None


def _drop_unread(graph: Any) -> None:
    """Inputs without columns are read by nobody: they need not be given."""
    for value in list(graph.inputs):
        if not value.uses() and 0 in value.shape.dims[1:]:
            graph.inputs.remove(value)


def _drop_origins(graph: Any) -> None:
    """Every node tells the lines of Python that it comes from, with the paths of this machine."""
    for node in graph:
        for found in (node, *node.outputs):
            found.metadata_props.clear()
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what concerns its own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
