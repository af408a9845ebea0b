"""`check_metric`: everything that a metric has to keep, for one of ours or of yours."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from postclick.metrics import EvaluationSums, Metric, MetricValue, Rows, figures

Array = NDArray[Any]
# reference(label, probability, group) -> the value, or None where it is undefined
Reference = Callable[[Array, Array, Array], float | None]
N, SEEDS, TOLERANCE = 60, range(8), 1e-9


def check_metric(
    metric: Metric[Any] | type[Metric[Any]],
    *,
    reference: Reference | None = None,
    waive_reference: str | None = None,
) -> dict[str, int]:
    """Check everything that postclick expects of a metric; call it in a test of your package.

    Args:
        metric: an object, or a class that takes no arguments.
        reference: an independent implementation in plain Python or numpy,
            `reference(label, probability, group) -> value`, arrays `(n,)`.
        waive_reference: why there is none; a warning repeats it.

    Returns:
        How many things each property has compared.

    Raises:
        AssertionError: a property does not hold, or has compared nothing.
        InputError: it is no complete metric.
        ValueError: neither a reference nor a reason for none is given.

    >>> from postclick.metrics import PCOC
    >>> found = check_metric(PCOC, reference=lambda y, p, g: p.sum() / y.sum() if y.any() else None)
    >>> found["equals the reference"]
    8
    """
    one = metric() if isinstance(metric, type) else metric
    named = figures([one])  # name, definition, one direction, known columns
    if (reference is None) == (not waive_reference):
        raise ValueError(
            f"{one.name}: give reference=, an independent implementation, or say in "
            "waive_reference= why there is none"
        )
    compared = {
        "the same however rows are cut": _merges(one),
        "weights repeat rows": _weights(one),
        "weights in batches repeat rows": _weighed_batches(one),
        "holds no caller's array": _copies(one),
        "one class and no row have a reason": _reasons(one),
    }
    if reference is None:
        warnings.warn(
            f"{one.name}: its values are compared with no reference: {waive_reference}",
            stacklevel=2,
        )
    else:
        compared["equals the reference"] = _reference(one, reference)
    compared["figures are named"] = len(named)
    optional = set() if one.weighs_rows else {"weights in batches repeat rows"}
    empty = [what for what, count in compared.items() if not count and what not in optional]
    assert not empty, f"{one.name}: nothing was compared for: {'; '.join(empty)}"
    return compared


def _drawn(seed: int, n: int = N) -> tuple[Array, Array, Array]:
    """Labels, logits with ties, and groups, some of one class and some rows without."""
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.4
    score = np.round(rng.normal(size=n), 1)
    return label, score, rng.integers(0, max(n // 8, 1), n).astype(np.int64)


def _state(metric: Metric[Any], label: Array, score: Array, group: Array) -> Any:
    state = metric.state()
    state.add(Rows(label, score, group))
    return state


def _close(metric: Metric[Any], what: str, found: float | None, expected: float | None) -> int:
    if expected is None or not math.isfinite(expected):
        assert found is None or not math.isfinite(found), f"{metric.name}: {what}: {found}"
        return 0
    assert found is not None, f"{metric.name}: {what}: no value, expected {expected}"
    off = abs(found - expected)
    assert off <= TOLERANCE * max(abs(expected), 1), f"{metric.name}: {what}: {found}, {expected}"
    return 1


def _reference(metric: Metric[Any], reference: Reference) -> int:
    compared = 0
    for seed in SEEDS:
        label, score, group = _drawn(seed)
        expected = reference(label, 1 / (1 + np.exp(-score)), group)
        found = metric.compute(_state(metric, label, score, group))
        compared += _close(metric, "the reference", found, expected)
    return compared


def _merges(metric: Metric[Any]) -> int:
    """Batches, in any order, merged in any order, give what all rows give at once."""
    compared = 0
    for seed in SEEDS:
        label, score, group = _drawn(seed)
        whole = metric.compute(_state(metric, label, score, group))
        order = np.random.default_rng(seed).permutation(N)
        parts = np.split(order, [0, 7, 8, 40])
        states = [_state(metric, label[p], score[p], group[p]) for p in parts]
        first = states.pop(seed % len(states))
        for state in states:
            first.merge(state)
        compared += _close(metric, "merged batches", metric.compute(first), whole)
    return compared


def _weights(metric: Metric[Any]) -> int:
    """Whole weights are the same as so many copies of each row."""
    compared = 0
    for seed in SEEDS:
        label, score, group = _drawn(seed)
        weight = np.random.default_rng(seed + 100).integers(0, 4, N)
        copies = np.repeat(np.arange(N), weight)
        expected = metric.compute(_state(metric, label[copies], score[copies], group[copies]))
        found = metric.weighted(Rows(label, score, group))(weight.astype(np.float64))
        compared += _close(metric, "weights", found, expected)
    return compared


def _weighed_batches(metric: Metric[Any]) -> int:
    """So they are to its state, batch by batch, if it says that its state weighs rows."""
    compared = 0
    for seed in SEEDS if metric.weighs_rows else ():
        label, score, group = _drawn(seed)
        weight = np.random.default_rng(seed + 200).integers(0, 4, N)
        copies = np.repeat(np.arange(N), weight)
        expected = metric.compute(_state(metric, label[copies], score[copies], group[copies]))
        states = []
        for part in np.split(np.arange(N), [25, 26]):
            states.append(metric.state())
            of_row = weight[part].astype(np.float64)
            states[-1].add(Rows(label[part], score[part], group[part], weight=of_row))
        for other in states[1:]:
            states[0].merge(other)
        found = metric.measured(states[0])[0]
        compared += _close(metric, "weights in batches", found, expected)
    return compared


def _copies(metric: Metric[Any]) -> int:
    """Callers reuse their batch buffers: a state must not change with them."""
    label, score, group = _drawn(0)
    before = metric.compute(_state(metric, label, score, group))
    buffers = label.copy(), score.copy(), group.copy()
    state = _state(metric, *buffers)
    for buffer in buffers:
        buffer[:] = 1
    return _close(metric, "a changed buffer", metric.compute(state), before)


def _reasons(metric: Metric[Any]) -> int:
    """With no row, no label or every label there is a finite value or a reason, and no error."""
    compared = 0
    for click in (np.zeros(0), np.zeros(5), np.ones(5)):
        for conversion in (np.zeros(click.size), click):
            sums = EvaluationSums([metric])
            z = np.linspace(-1, 1, click.size)
            sums.update(z, z, click, conversion, group=np.ones(click.size, np.int64))
            for value in sums.compute():
                assert isinstance(value, MetricValue)
                assert value.value is not None or value.undefined, f"{value.metric}: no reason"
                compared += 1
    return compared
