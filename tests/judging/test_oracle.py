import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.special import logit, xlogy

from postclick import prepare
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError
from postclick.judging import oracle as oracle_module
from postclick.judging.labels import SplitLabels, split_labels
from postclick.judging.oracle import baseline_value, oracle_metrics, share_of_gain
from postclick.metrics import METRICS, EvaluationSums, MetricValue

Found = dict[tuple[str, str], MetricValue]


def by_key(values: list[MetricValue]) -> Found:
    return {(m.metric, m.space): m for m in values}


@pytest.fixture(scope="module")
def labels(small_log: PreparedLog) -> SplitLabels:
    return split_labels(small_log, "test")


@pytest.fixture(scope="module")
def found(small_log: PreparedLog) -> Found:
    return by_key(oracle_metrics(small_log, "test"))


def prepared(raw: SimulatedLog, folder: Path, *changes: pl.Expr) -> PreparedLog:
    train, test = (FrameSource(f.with_columns(*changes)) for f in (raw.train, raw.test))
    return prepare(LogSplits(raw.schema, train, test), folder, shard_rows=1_500)


def test_it_is_the_evaluation_of_the_truth(found: Found, labels: SplitLabels) -> None:
    r, p = (labels.truth[name].astype(np.float64) for name in ("true_cvr", "true_ctr"))
    sums = EvaluationSums()
    sums.update(logit(p), logit(r), labels.click, labels.conversion, true_cvr=r)
    expected = by_key(sums.compute())
    assert found.keys() == expected.keys()
    assert {name for name, _ in found} == {name for name in METRICS if not METRICS[name].needs}
    for key, one in expected.items():
        assert found[key].value == pytest.approx(one.value, rel=1e-10, abs=1e-12), key
        assert (found[key].rows, found[key].undefined) == (one.rows, one.undefined)


def entropy(r: NDArray[np.float64]) -> NDArray[Any]:
    return np.asarray(-xlogy(r, r) - xlogy(1 - r, 1 - r))


@pytest.mark.parametrize("space", ["clicked", "unclicked", "entire"])
def test_its_nll_is_the_mean_entropy_and_it_has_no_bias(
    found: Found, labels: SplitLabels, space: str
) -> None:
    c = labels.click
    rows = {"clicked": c, "unclicked": ~c, "entire": c | True}[space]
    r = labels.truth["true_cvr"].astype(np.float64)[rows]
    assert found["true_cvr_nll", space].value == pytest.approx(entropy(r).mean(), rel=1e-12)
    assert found["cvr_bias", space].value == pytest.approx(0, abs=1e-12)
    mean = baseline_value(found["true_cvr_nll", space])
    assert mean == pytest.approx(entropy(r.mean()), rel=1e-12)
    assert mean is not None and mean > entropy(r).mean()


def test_no_other_prediction_does_better_against_the_truth(
    found: Found, labels: SplitLabels
) -> None:
    rng = np.random.default_rng(0)
    r = labels.truth["true_cvr"].astype(np.float64)
    for noise in (0.05, 0.5):
        sums = EvaluationSums()
        shaken = logit(r) + noise * rng.normal(size=r.size)
        sums.update(np.zeros(r.size), shaken, labels.click, labels.conversion, true_cvr=r)
        worse = by_key(sums.compute())
        for space in ("clicked", "unclicked", "entire"):
            for name in ("true_cvr_auc", "true_cvr_nll"):
                best, one = found[name, space], worse[name, space].value
                base = baseline_value(best)
                assert best.value is not None and one is not None and base is not None
                share = share_of_gain(name, one, best.value, base)
                assert share is not None and share < 1
                assert share_of_gain(name, best.value, best.value, base) == 1.0


def test_chunks_make_no_difference(
    found: Found, small_log: PreparedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle_module, "CHUNK_ROWS", 333)
    for key, one in by_key(oracle_metrics(small_log, "test")).items():
        assert one.value == pytest.approx(found[key].value, rel=1e-12, abs=1e-12), key


def test_certain_rows_stay_finite(small_raw: SimulatedLog, tmp_path: Path) -> None:
    """A true CVR of exactly 0 or 1, right each time, costs nothing and ranks outermost."""
    certain = pl.col("potential_conversion").cast(pl.Float64).alias("true_cvr")
    least = pl.when(pl.int_range(pl.len()) < 40).then(1e-45).otherwise(certain)
    log = prepared(small_raw, tmp_path / "data", certain)
    perfect = by_key(oracle_metrics(log, "test"))
    assert perfect["cvr_nll", "clicked"].value == pytest.approx(0, abs=1e-40)
    assert perfect["true_cvr_nll", "entire"].value == pytest.approx(0, abs=1e-40)
    assert perfect["true_cvr_auc", "entire"].value == 1.0
    tiny = prepared(small_raw, tmp_path / "tiny", least.alias("true_cvr"))
    r = split_labels(tiny, "test").truth["true_cvr"]
    ranks = oracle_module._logit(np.unique(r))
    assert len(ranks) == 3 and (np.diff(ranks) > 0).all(), "0, 1e-45 and 1 are told apart"


def test_without_a_true_ctr_its_metrics_are_left_out(
    small_raw: SimulatedLog, tmp_path: Path, found: Found
) -> None:
    log = prepared(small_raw, tmp_path / "data", pl.lit(None, pl.Float64).alias("true_ctr"))
    got = by_key(oracle_metrics(log, "test"))
    assert {key for key in found if not key[0].startswith(("ctr_", "ctcvr_"))} == set(got)
    assert all(got[key].value == found[key].value for key in got)


def test_no_oracle_without_a_true_cvr(small_raw: SimulatedLog, tmp_path: Path) -> None:
    log = prepared(small_raw, tmp_path / "none", pl.lit(None, pl.Float64).alias("true_cvr"))
    with pytest.raises(InputError, match="test split has no true CVR"):
        oracle_metrics(log, "test")
    first = pl.int_range(pl.len()) < 7
    holes = pl.when(first).then(None).otherwise(pl.col("true_cvr")).alias("true_cvr")
    with pytest.raises(InputError, match="true_cvr is missing on 7 of"):
        oracle_metrics(prepared(small_raw, tmp_path / "holes", holes), "test")


def test_baselines() -> None:
    def made(metric: str, rows: int, positives: float) -> MetricValue:
        return MetricValue(metric, "entire", None, "made up", rows, positives)

    assert baseline_value(made("ctr_auc", 10, 3)) == 0.5
    expected = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert baseline_value(made("ctr_nll", 10, 3)) == pytest.approx(expected)
    assert baseline_value(made("ctr_nll", 10, 0)) == 0
    assert baseline_value(made("ctr_nll", 10, 10)) == 0
    for metric, rows in (("cvr_bias", 10), ("ctr_pcoc", 10), ("ctr_nll", 0), ("ctr_auc", 0)):
        assert baseline_value(made(metric, rows, 0)) is None


def test_share_of_gain() -> None:
    assert share_of_gain("ctr_auc", 0.5, 0.9, 0.5) == 0
    assert share_of_gain("ctr_auc", 0.4, 0.9, 0.5) == pytest.approx(-0.25)
    assert share_of_gain(METRICS["ctr_nll"], 0.15, 0.1, 0.2) == pytest.approx(0.5)
    assert share_of_gain("ctr_nll", 0.05, 0.1, 0.2) == pytest.approx(1.5)
    assert share_of_gain("ctr_nll", 0.3, 0.1, 0.2) == pytest.approx(-1)
    for metric, oracle, base in (
        ("ctr_auc", 0.5, 0.5),
        ("ctr_auc", 0.45, 0.5),
        ("ctr_nll", 0.2, 0.2),
        ("ctr_nll", 0.2 - 1e-16, 0.2),
        ("ctr_nll", 0.3, 0.2),
    ):
        assert share_of_gain(metric, 0.7, oracle, base) is None
    with pytest.raises(InputError, match="cvr_pcoc has no share of gain"):
        share_of_gain("cvr_pcoc", 1.1, 1.0, 0.5)
    with pytest.raises(InputError, match="NaN"):
        share_of_gain("ctr_auc", math.nan, 0.9, 0.5)
    with pytest.raises(InputError, match="no metric"):
        share_of_gain("auc", 0.6, 0.9, 0.5)
