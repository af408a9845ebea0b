"""Extreme elements of vectors on their way through check, prepare and scaling."""

import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from postclick.data.check.check_log import check_log
from postclick.data.encode.vectors import VectorScaling
from postclick.data.manifest import Manifest, VectorColumn
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare

ROWS, SIZE = 4_000, 3
VECTOR = {"name": "e", "size": SIZE}
RAW = {"name": "raw", "size": SIZE, "standardize": False}


def schema_of(**more: object) -> LogSchema:
    return LogSchema.parse({"click": "c", "conversion": "v", "vector": [VECTOR, RAW], **more})


def ordinary() -> np.ndarray:
    return np.random.default_rng(0).normal([0, 5, -2], [1, 2, 0.1], (ROWS, SIZE))


def log_of(values: np.ndarray) -> pl.DataFrame:
    n = np.arange(len(values))
    rows = values.tolist()
    return pl.DataFrame({"e": rows, "raw": rows, "c": n % 2, "v": (n % 4 == 1) * 1})


def prepared(values: np.ndarray, folder: Path, **more: object) -> PreparedLog:
    splits = LogSplits(schema_of(**more), FrameSource(log_of(values)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return prepare(splits, folder, valid_fraction=0, test_fraction=0)


def shards(log: PreparedLog, name: str) -> np.ndarray:
    return pl.read_parquet(log.folder / "train")[name].to_numpy()


def extremes(log: PreparedLog) -> dict[str, dict[str, object]]:
    return {f["column"]: f for f in log.manifest.findings if f["code"] == "extreme-values"}


@pytest.mark.parametrize("value", [1e200, sys.float_info.max, -sys.float_info.max])
def test_one_row_does_not_set_the_scale(value: float, tmp_path: Path) -> None:
    values = ordinary()
    values[17, 1] = value
    log = prepared(values, tmp_path / "data")
    column = log.manifest.vectors[0]
    rest = np.delete(values, 17, axis=0)
    assert column.mean[1] == pytest.approx(rest[:, 1].mean())
    assert column.std[1] == pytest.approx(rest[:, 1].std())
    untouched = prepared(ordinary(), tmp_path / "other").manifest.vectors[0]
    for k in (0, 2):  # elements without extremes keep their moments to the bit
        assert column.mean[k] == untouched.mean[k] and column.std[k] == untouched.std[k]
    for name, limit in (("e", 6), ("raw", 20)):
        found = shards(log, name)
        assert np.isfinite(found).all() and np.abs(found).max() < limit
        assert found.std(axis=0).min() > 0.05
        said = extremes(log)[name]
        assert (said["rows"], said["severity"]) == (1, "warning")
        assert "in 1 of 4,000 rows" in str(said["message"])
        assert "in 1 of 3 places" in str(said["message"])
        assert f"{value!r} in 1;" in str(said["message"])
    assert Manifest.read(log.folder) == log.manifest


def test_a_value_for_nothing_is_named_and_its_mend_works(tmp_path: Path) -> None:
    values = ordinary()
    values[::10] = -999999999.0
    log = prepared(values, tmp_path / "data")
    rest = np.delete(values, np.arange(0, ROWS, 10), axis=0)
    column = log.manifest.vectors[0]
    np.testing.assert_allclose(column.mean, rest.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(column.std, rest.std(axis=0), rtol=1e-9)
    found = extremes(log)["e"]
    for part in ("in 400 of 4,000 rows (10 %)", "-999999999 in 1,200", "3 of 3 places"):
        assert part in str(found["message"])
    assert 'write missing: ["-999999999"]' in str(found["message"])
    report = check_log(schema_of(), FrameSource(log_of(values)))
    assert found in [f.to_dict() for f in report.findings]
    mended = prepared(values, tmp_path / "mended", missing=["-999999999"])
    assert extremes(mended) == {}
    np.testing.assert_allclose(mended.manifest.vectors[0].std, column.std, rtol=1e-9)


def test_ordinary_vectors_have_no_finding_and_their_bytes_of_old(tmp_path: Path) -> None:
    values = ordinary()
    log = prepared(values, tmp_path / "data")
    assert extremes(log) == {}
    column, raw = log.manifest.vectors
    np.testing.assert_allclose(column.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(column.std, values.std(axis=0), rtol=1e-12)
    without = VectorColumn(name="e", size=SIZE, mean=column.mean, std=column.std)
    assert "low" not in without.model_dump()
    expected = VectorScaling(without).scale(values)
    assert VectorScaling(column).scale(values).tobytes() == expected.tobytes()
    assert VectorScaling(raw).scale(values).tobytes() == values.astype(np.float32).tobytes()


def test_beyond_the_training_range_is_as_at_its_end(tmp_path: Path) -> None:
    values = ordinary()
    column = prepared(values, tmp_path / "data").manifest.vectors[0]
    beyond = np.array([[1e39, sys.float_info.max, 9.0], [-1e9, -1e300, -9.0], [np.nan, 5.0, -2.0]])
    before = beyond.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = VectorScaling(column).scale(beyond)
    np.testing.assert_array_equal(beyond, before)  # the caller's array is not changed
    mean, std = np.array(column.mean), np.array(column.std)
    ends = np.array([values.max(axis=0) + std, values.min(axis=0) - std])
    np.testing.assert_allclose(found[:2], (ends - mean) / std, rtol=1e-6)
    assert found[2, 0] == 0


def test_the_same_whatever_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = ordinary()
    values[::50, 0] = 1e9
    whole = prepared(values, tmp_path / "whole").manifest
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 300)
    monkeypatch.setattr("postclick.data.numbers.vector_summary.SAMPLE_ELEMENTS", 1)
    parts = prepared(values, tmp_path / "parts").manifest  # of a sample of 1,024 rows
    np.testing.assert_allclose(parts.vectors[0].mean, whole.vectors[0].mean, atol=0.1)
    np.testing.assert_allclose(parts.vectors[0].std, whole.vectors[0].std, rtol=0.1)
    (found, *_) = [f for f in parts.findings if f["code"] == "extreme-values"]
    assert "in about " in found["message"] and 40 <= found["rows"] <= 120
