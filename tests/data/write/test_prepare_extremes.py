"""Extreme numbers on their way through check, prepare and the scaling of both doors."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postclick.data.check.check_log import check_log
from postclick.data.encode.encoder import scale
from postclick.data.lookup.numeric_scaling import NumericScaling, read_number
from postclick.data.manifest import Manifest, NumericColumn
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

NUMERIC = [
    "x",
    {"name": "y", "transform": "log1p"},
    {"name": "z", "transform": "quantile", "bins": 4},
]
SCHEMA = LogSchema.parse({"click": "c", "conversion": "v", "numeric": NUMERIC})
FLT_MAX = float(np.finfo(np.float32).max)
BEYOND = [
    *(sys.float_info.max, -sys.float_info.max, 1e39, -1e39, FLT_MAX, 1e9, -999999999.0),
    *(5e-324, -5e-324, 0.0, -0.0, float("inf"), float("-inf"), float("nan")),
]


def log_of(values: np.ndarray) -> pl.DataFrame:
    n = np.arange(len(values))
    return pl.DataFrame({"x": values, "y": values, "z": values, "c": n % 2, "v": (n % 4 == 1) * 1})


def prepared(values: np.ndarray, folder: Path) -> PreparedLog:
    source = FrameSource(log_of(values))
    return prepare(LogSplits(SCHEMA, source), folder, valid_fraction=0, test_fraction=0)


def shards(log: PreparedLog) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(p) for p in sorted((log.folder / "train").iterdir())])


def both_doors(log: PreparedLog, values: np.ndarray) -> np.ndarray:
    """What serving makes of the numbers, after it is the same bits as prepare's."""
    columns = log.manifest.numerics
    read = read_number(pl.Series("x", values))
    found = NumericScaling(columns).scale({"x": read, "y": read})
    for k, column in enumerate(columns):
        assert found[:, k].tobytes() == scale(read, column).tobytes()
    return found


@given(st.lists(st.floats(), min_size=4, max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_numbers_are_prepared(numbers: list[float]) -> None:
    values = np.array(numbers, dtype=np.float64)
    with tempfile.TemporaryDirectory() as folder:
        log = prepared(values, Path(folder) / "data")
        assert Manifest.read(log.folder) == log.manifest
        frame = shards(log)
        scaled = frame.select(c.name for c in log.manifest.numerics).to_numpy()
        assert np.isfinite(scaled).all()
        assert frame["z"].max() < log.manifest.ids[0].size  # type: ignore[operator]
        ends = scaled.min(0) - 1.001, scaled.max(0) + 1.001
        found = both_doors(log, np.array(BEYOND))
        assert ((found >= ends[0]) & (found <= ends[1])).all()


@pytest.mark.parametrize("value", [-999999999.0, FLT_MAX, sys.float_info.max, 1e200])
def test_a_value_for_nothing_is_named_and_leaves_the_scale(value: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    price = np.exp(rng.normal(size=4_000))
    spoiled = np.where(rng.random(4_000) < 0.1, value, price)
    log = prepared(spoiled, tmp_path / "data")
    x = log.manifest.numerics[0]
    others = spoiled[spoiled != value]
    assert (x.mean, x.std) == pytest.approx((others.mean(), others.std()))
    assert shards(log)["x"].abs().max() < 60  # type: ignore[operator]
    (found, *_) = [f for f in log.manifest.findings if f["code"] == "extreme-values"]
    assert (found["severity"], found["column"]) == ("warning", "x")
    assert found["rows"] == len(price) - len(others)
    written = {-999999999.0: "-999999999"}.get(value, repr(value))
    for part in (f"in {found['rows']:,} of 4,000 rows", f'missing: ["{written}"]', "quantile"):
        assert part in found["message"]
    report = check_log(SCHEMA, FrameSource(log_of(spoiled)))
    assert found in [f.to_dict() for f in report.findings]


def test_an_ordinary_column_has_no_finding_and_its_bytes_of_old(tmp_path: Path) -> None:
    price = np.exp(2 * np.random.default_rng(0).normal(size=4_000))
    log = prepared(price, tmp_path / "data")
    assert all(f["code"] != "extreme-values" for f in log.manifest.findings)
    x = log.manifest.numerics[0]
    old = ((price - price.mean()) / price.std()).astype(np.float32)
    assert sorted(shards(log)["x"].to_list()) == sorted(scale(price, x).tolist())
    assert scale(price, x).tolist() == pytest.approx(old.tolist(), rel=1e-5)
    without = NumericColumn(name="x", source="x", transform=x.transform, mean=x.mean, std=x.std)
    assert scale(price, x).tobytes() == scale(price, without).tobytes()


def test_limits_are_of_training_rows_alone(tmp_path: Path) -> None:
    values = np.append(np.linspace(0, 1, 400), np.linspace(50, 60, 400))
    train, test = FrameSource(log_of(values[:400])), FrameSource(log_of(values[400:]))
    log = prepare(LogSplits(SCHEMA, train, test), tmp_path / "data", valid_fraction=0)
    x = log.manifest.numerics[0]
    assert x.high == pytest.approx(1 + np.linspace(0, 1, 400).std())
    test_rows = pl.read_parquet(log.folder / "test")
    assert test_rows["x"].unique().to_list() == [np.float32((x.high - x.mean) / x.std)]


def test_an_older_column_has_no_limits() -> None:
    data = {"name": "x", "source": "x", "transform": "standardize", "mean": 2.0, "std": 4.0}
    column = NumericColumn.model_validate(data)
    assert column.model_dump() == data
    assert column.limits == (float("-inf"), float("inf"))
    assert scale(np.array([1e39]), column).tolist() == [1e6]
