"""Small logs with known truth, and comparisons of what was evaluated on them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from postclick.metrics import EvaluationSums, MetricValue

Columns = dict[str, NDArray[Any]]


def log(n: int, seed: int = 0, dtype: str = "float32", ties: bool = False) -> Columns:
    rng = np.random.default_rng(seed)
    zp, zq = rng.normal(-1, 1, n), rng.normal(-1, 1, n)
    if ties:
        zp, zq = zp.round(), zq.round()
    r = 1 / (1 + np.exp(1 - zq - rng.normal(0, 0.5, n)))
    click = rng.random(n) < 1 / (1 + np.exp(-zp))
    potential = rng.random(n) < r
    return {
        "ctr_logit": zp.astype(dtype),
        "cvr_logit": zq.astype(dtype),
        "click": click.astype(np.int8),
        "conversion": (click & potential).astype(np.float32),
        "true_cvr": r.astype(np.float32),
        "potential_conversion": potential,
        "group": rng.integers(0, max(2, n // 8), n),
    }


def pick(columns: Columns, *names: str) -> Columns:
    return {
        name: value
        for name, value in columns.items()
        if name in ("ctr_logit", "cvr_logit", "click", "conversion", *names)
    }


def evaluated(columns: Columns, *batches: NDArray[Any]) -> EvaluationSums:
    sums = EvaluationSums()
    for rows in batches or (np.arange(len(columns["click"])),):
        sums.update(**{name: value[rows] for name, value in columns.items()})
    return sums


def by_key(sums: EvaluationSums) -> dict[tuple[str, str], MetricValue]:
    return {(m.metric, m.space): m for m in sums.compute()}


def assert_same(left: EvaluationSums, right: EvaluationSums) -> None:
    a, b = by_key(left), by_key(right)
    assert a.keys() == b.keys()
    for key, value in a.items():
        other = b[key]
        assert (value.undefined, value.rows) == (other.undefined, other.rows)
        assert value.groups == other.groups
        assert value.positives == pytest.approx(other.positives, rel=1e-12, abs=0)
        if key[0].endswith(("_auc", "_gauc")):
            assert value.value == other.value, key
        elif value.value is not None:
            # A bias is a difference of sums: its rounding is that of the sums.
            slack = 1e-13 if "bias" in key[0] else 0.0
            assert value.value == pytest.approx(other.value, rel=1e-12, abs=slack), key
