"""Units of resampling: rows of one group share one, however the group is written."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.predictions import close, predictions, without
from postclick import judge
from postclick.data.read.values.value_rules import ValueRules
from postclick.judging.predicted.units import UNITS, group_hash, units_of

IDS = [7, 12, 7, 2**40, 0, -3]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(IDS),
        pl.Series(IDS, dtype=pl.Int64),
        pl.Series([str(one) for one in IDS]),
        pl.Series([float(one) for one in IDS]),
        pl.Series([str(one) for one in IDS], dtype=pl.Categorical),
    ],
    ids=lambda column: str(column.dtype),
)
def test_a_whole_number_is_one_group_in_any_type(column: pl.Series) -> None:
    expected = group_hash(pl.Series(IDS), ValueRules())
    assert group_hash(column, ValueRules()).tolist() == expected.tolist()
    assert len(set(expected.tolist())) == 5


def test_text_that_is_no_plain_number_is_another_group() -> None:
    texts = ["7", "007", " 7", "7.5", "x", "X"]
    assert len(set(group_hash(pl.Series(texts), ValueRules()).tolist())) >= 5


def test_missing_groups_are_units_of_their_own() -> None:
    group = group_hash(pl.Series([None, 5, None, 5]), ValueRules())
    unit = units_of(np.arange(4), group)
    assert (unit[0], unit[2]) == (0, 2)
    assert unit[1] == unit[3]
    # So a log whose groups are all missing is judged as one without.
    log = predictions(400)
    missing = log.with_columns(user=pl.lit(None, dtype=pl.Int64))
    alone, none = judge(log, resamples=40), judge(missing, group="user", resamples=40)
    assert none.unit == "group"
    ours = [one for one in none.figures if "gauc" not in one.metric]
    for a, b in zip(alone.figures, ours, strict=True):
        assert (a.metric, a.value, a.low, a.high) == (b.metric, b.value, b.low, b.high)
    gauc = none.figure("a", "cvr_gauc")
    assert gauc is not None
    assert gauc.value is None


def test_units_are_even() -> None:
    """Hashed groups spread over all units; rows fill them in turn."""
    group = group_hash(pl.Series(np.arange(1, 1 + 20 * UNITS)), ValueRules())
    counts = np.bincount(units_of(np.arange(20 * UNITS), group), minlength=UNITS)
    chi = float(((counts - 20) ** 2 / 20).sum())
    assert abs(chi - UNITS) < 6 * np.sqrt(2 * UNITS)
    rows = np.bincount(units_of(np.arange(3 * UNITS), None), minlength=UNITS)
    assert (rows == 3).all()


@pytest.mark.parametrize("kind", [pl.String, pl.UInt64, pl.Float64])
def test_the_type_of_a_group_changes_nothing(kind: Any) -> None:
    log = predictions(300)
    options: Any = {"group": "user", "resamples": 40}
    other = log.with_columns(pl.col("user").cast(pl.Int64).cast(kind))
    close(without(judge(other, **options)), without(judge(log, **options)), 1e-12)
