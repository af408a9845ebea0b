"""What row weights have to mean to a loss. The property returns how much it has compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from postclick.data.batch import Bag, Batch
from postclick.losses import weighted_sum
from postclick.methods.base import Method, Step
from postclick.testing.batches import PATTERNS, dense, make_batch, steps_of
from postclick.testing.cases import Case

# Of the eight rows of "mixed"; one of them counts for nothing.
COUNTS = (2, 1, 3, 0, 1, 1, 4, 2)
TOLERANCE = 1e-10


def repeated(batch: Batch, counts: Tensor) -> Batch:
    """The batch in which row i is there `counts[i]` times, int64 [n], without weights.

    >>> len(repeated(make_batch([1, 0], [1, 0]), torch.tensor([3, 2])))
    5
    """
    rows = torch.repeat_interleave(torch.arange(len(batch)), counts)
    return Batch(
        batch.ids[rows],
        batch.numeric[rows],
        tuple(_repeated_bag(bag, rows) for bag in batch.bags),
        batch.click[rows],
        batch.conversion[rows],
    )


def _repeated_bag(bag: Bag, rows: Tensor) -> Bag:
    ends = torch.cat([bag.offsets[1:], torch.tensor([len(bag.values)])])
    kept = [torch.arange(int(bag.offsets[row]), int(ends[row])) for row in rows]
    lengths = torch.tensor([len(one) for one in kept], dtype=torch.long)
    places = torch.cat(kept) if kept else torch.zeros(0, dtype=torch.long)
    return Bag(bag.values[places], lengths.cumsum(0) - lengths, bag.weights[places])


def weights_repeat_rows(case: Case) -> int:
    """Whole weights are as many copies of each row, to every term and every gradient.

    In evaluation mode: dropout draws for each row, and batch norm counts rows.
    """
    return sum(differences(case, step)[0] for step in steps_of(case.make()))


def differences(case: Case, step: Step) -> tuple[int, float]:
    """How much a step has compared, and the largest difference, relative above 1.

    Raises:
        AssertionError: a term or a gradient differs.
    """
    batch = _in_float64(make_batch(*PATTERNS["mixed"]))
    counts = torch.tensor(COUNTS)
    method = case.make().double().eval()
    found = _measured(method, replace(batch, weight=counts.double()), step)
    expected = _measured(method, repeated(batch, counts), step)
    assert found.keys() == expected.keys(), f"{case}: other terms with weights"
    largest = 0.0
    for name, value in expected.items():
        gap = (found[name] - value).abs() / value.abs().clamp(min=1.0)
        largest = max(largest, float(gap.max()) if gap.numel() else 0.0)
        assert largest <= TOLERANCE, (
            f"{case}: {name} with weights is off by {largest:.1e} from that of repeated rows: sum "
            "over rows by postclick.losses.total, and divide by size or batch_size"
        )
    return len(expected), largest


def _measured(method: Method[Any], batch: Batch, step: Step) -> dict[str, Tensor]:
    """Each term, and the gradient of their sum by each parameter."""
    method.zero_grad()
    terms = method.loss(batch, step)[1]
    weighted_sum(terms).backward()  # type: ignore[no-untyped-call]
    found = {f"term {name}": term.value.detach() for name, term in terms.items()}
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            found[f"the gradient of {name}"] = dense(parameter.grad).clone()
    return found


def _in_float64(batch: Batch) -> Batch:
    bags = tuple(bag._replace(weights=bag.weights.double()) for bag in batch.bags)
    plain = {n: getattr(batch, n).double() for n in ("numeric", "click", "conversion")}
    return replace(batch, bags=bags, **plain)
