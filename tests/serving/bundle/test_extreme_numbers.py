"""A bundle scores any number: beyond the training range as at its end."""

import sys

import numpy as np
import polars as pl
import pytest

from helpers.mixed_log import MIXED, mixed_log
from helpers.runs import small_settings
from postclick import export, prepare, train
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.serving.bundle.bundle import Bundle

FLT_MAX = float(np.finfo(np.float32).max)
BEYOND = [sys.float_info.max, 1e200, 1e39, FLT_MAX, 1e9, 999999999.0]


def scores(bundle: Bundle, values: list[float | None]) -> np.ndarray:
    """float32 [n, 3], one row with other prices and spends."""
    row = mixed_log(1).select(pl.exclude("click", "buy"))
    rows = pl.concat([row] * len(values)).with_columns(
        pl.Series(name, values, dtype=pl.Float64) for name in ("price", "spend", "age")
    )
    return bundle.score(rows).to_numpy()


@pytest.fixture(scope="module", params=["esmm", "evi", "choruscvr"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("extremes")
    rows = mixed_log(3_000).with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 3)
        .then(-999999999.0)
        .otherwise("price")
        .alias("price")
    )
    log = prepare(LogSplits(LogSchema.parse(MIXED), FrameSource(rows)), folder / "data")
    run = train(log, small_settings(request.param, "epochs=1"), folder / "run")
    return export(run, folder / "bundle")


def test_every_number_has_a_probability(bundle: Bundle) -> None:
    values = [*BEYOND, *(-value for value in BEYOND), 5e-324, -0.0, 1.0]
    found = scores(bundle, values)
    assert np.isfinite(found).all()
    assert (found > 0).all() and (found < 1).all()


def test_beyond_the_limits_is_as_at_them(bundle: Bundle) -> None:
    high, low = scores(bundle, BEYOND), scores(bundle, [-value for value in BEYOND])
    assert np.abs(high - high[0]).max() < 1e-6
    assert np.abs(low - low[0]).max() < 1e-6


def test_infinite_and_no_number_are_missing(bundle: Bundle) -> None:
    found = scores(bundle, [None, float("nan"), float("inf"), float("-inf")])
    assert np.abs(found - found[0]).max() < 1e-6
    assert (found > 0).all() and (found < 1).all()


def test_a_bundle_keeps_the_limits(bundle: Bundle) -> None:
    price = next(c for c in bundle.info.numerics if c.name == "price")
    assert price.low is not None and price.high is not None
    assert -3 < price.low < 0 < price.high < 200
