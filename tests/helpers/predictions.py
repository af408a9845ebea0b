"""Logs of predictions: labels, what two models predict, and what describes a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.judging.predicted.result import Difference, JudgedLog, SegmentFigure
from postclick.logits import sigmoid
from postclick.metrics import EvaluationSums, MetricValue

Floats = NDArray[np.float64]


def predictions(rows: int = 600, seed: int = 0, *, ties: bool = False) -> pl.DataFrame:
    """Clicks and conversions drawn from pctr_a and pcvr_a; model b is a noisier one.

    Beside them a user, a shop, a price, a day, a position, whole weights and known truth.
    """
    rng = np.random.default_rng(seed)
    zp, zq = rng.normal(-0.5, 1, rows), rng.normal(-0.5, 1, rows)
    if ties:
        zp, zq = zp.round(), zq.round()
    click = rng.random(rows) < sigmoid(zp)
    potential = rng.random(rows) < sigmoid(zq)
    noise = [rng.normal(0.2, 0.7, rows) for _ in range(2)]
    if ties:
        noise = [one.round() for one in noise]
    return pl.DataFrame(
        {
            "click": click.astype(np.int8),
            "conversion": (click & potential).astype(np.int8),
            "pctr_a": sigmoid(zp),
            "pcvr_a": sigmoid(zq),
            "pctr_b": sigmoid(zp + noise[0]),
            "pcvr_b": sigmoid(zq + noise[1]),
            "user": rng.integers(1, max(2, rows // 6), rows),
            "shop": rng.choice(["ann", "bob", "cid", "dan"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "price": rng.gamma(2.0, 10.0, rows),
            "day": pl.Series(rng.integers(0, 10 * 86_400, rows) * 1_000_000).cast(
                pl.Datetime("us")
            ),
            "position": rng.integers(1, 5, rows),
            "times": rng.integers(0, 4, rows),
            "true": sigmoid(zq),
            "potential": potential,
        }
    )


def by_sums(
    log: pl.DataFrame,
    model: str,
    *,
    true: str | None = None,
    potential: str | None = None,
    group: str | None = None,
    weight: str | None = None,
) -> dict[tuple[str, str], MetricValue]:
    """The figures of one model as runs are evaluated: from logits, by `EvaluationSums`."""
    sums = EvaluationSums()

    def column(name: str | None) -> Any:
        return None if name is None else log[name].to_numpy()

    sums.update(
        logit(log[f"pctr_{model}"].to_numpy()),
        logit(log[f"pcvr_{model}"].to_numpy()),
        log["click"].to_numpy(),
        log["conversion"].to_numpy(),
        true_cvr=column(true),
        potential_conversion=column(potential),
        group=column(group),
        weight=None if weight is None else log[weight].to_numpy().astype(np.float64),
    )
    return {(found.metric, found.space): found for found in sums.compute()}


def logit(p: Floats) -> Floats:
    return np.asarray(np.log(p) - np.log1p(-p))


def figures(judged: JudgedLog) -> dict[tuple[str, str, str], float | None]:
    """Every value by model, metric and space."""
    return {(one.model, one.metric, one.space): one.value for one in judged.figures}


def difference(judged: JudgedLog, metric: str, space: str, model: str, against: str) -> Difference:
    found = [
        one
        for one in judged.differences
        if (one.metric, one.space, one.model, one.against) == (metric, space, model, against)
    ]
    assert len(found) == 1
    return found[0]


def segments(
    judged: JudgedLog, feature: str, model: str, quantity: str
) -> Mapping[str, SegmentFigure]:
    """Figures of one feature by its value, in the order shown."""
    wanted = (feature, model, quantity)
    return {
        one.value: one
        for one in judged.segments
        if (one.feature, one.model, one.quantity) == wanted
    }


def without(judged: JudgedLog, *names: str) -> dict[str, Any]:
    """A judgement as it is written, but for how long it took, its findings, and `names`."""
    found = judged.as_dict()
    return {
        key: found[key]
        for key in found
        if key not in ("seconds", "findings", "log", "command", *names)
    }


def close(left: Any, right: Any, rel: float = 1e-9, path: Sequence[Any] = ()) -> None:
    """Assert that two nested results are the same to rounding."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            close(left[key], right[key], rel, (*path, key))
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), path
        for k, (a, b) in enumerate(zip(left, right, strict=True)):
            close(a, b, rel, (*path, k))
    elif isinstance(left, float) and isinstance(right, int | float):
        assert abs(left - right) <= rel * max(1.0, abs(left), abs(right)), (path, left, right)
    else:
        assert left == right, (path, left, right)
