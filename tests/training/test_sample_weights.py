"""Whole runs on logs whose rows stand for several impressions, from `prepare` to scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.runs import identical, largest_difference, saved_weights, small_settings
from postclick import compare, export, prepare, simulate
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.judging.labels import split_labels
from postclick.logits import sigmoid
from postclick.metrics import EvaluationSums
from postclick.runs.calibrate import calibrate
from postclick.runs.run import Run
from postclick.training.train import train

METHODS = ("esmm", "aitm", "dr_jl", "mrdr_gpl", "ukd", "nise/ema", "evi", "choruscvr")
RATE = 0.1


def weighted(schema: LogSchema) -> LogSchema:
    return LogSchema.parse({**schema.model_dump(mode="json"), "weight": "stands_for"})


def with_weight(frame: pl.DataFrame, weight: Any) -> pl.DataFrame:
    return frame.with_columns(pl.Series("stands_for", np.asarray(weight, dtype=np.float64)))


@pytest.fixture(scope="module")
def raw() -> Any:
    return simulate("confounded", rows=9_000, seed=2, ctr=0.25, cvr=0.3, users=60, items=30)


@pytest.fixture(scope="module")
def two_logs(raw: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedLog, PreparedLog]:
    """The same log without weights and with a weight of 1 in every row."""
    out = tmp_path_factory.mktemp("logs")
    plain = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    ones = [with_weight(frame, np.ones(frame.height)) for frame in (raw.train, raw.test)]
    weights = LogSplits(weighted(raw.schema), *(FrameSource(frame) for frame in ones))
    return prepare(plain, out / "plain"), prepare(weights, out / "ones")


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_one_change_no_bit(
    method: str, two_logs: tuple[PreparedLog, PreparedLog], tmp_path: Path
) -> None:
    runs = [
        train(log, small_settings(method, "epochs=1"), tmp_path / str(k))
        for k, log in enumerate(two_logs)
    ]
    assert identical(*(saved_weights(run.folder) for run in runs))
    judged = [
        run.evaluate(log, by="position").as_dict() for run, log in zip(runs, two_logs, strict=True)
    ]
    assert json.dumps(judged[0]) == json.dumps(judged[1])
    for a, b in zip(runs[0].history, runs[1].history, strict=True):
        for name in a.keys() - {"rows_per_second"}:
            assert a[name] == b[name], name


def small_log(rows: int, seed: int) -> pl.DataFrame:
    """Values that differ so much in number that copies of rows leave their order as it is."""
    rng = np.random.default_rng(seed)
    shop = rng.choice(4, rows, p=[0.45, 0.3, 0.15, 0.1])
    user = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    click = rng.random(rows) < 0.2 + 0.15 * shop
    buy = click & (rng.random(rows) < 0.2 + 0.2 * user)
    weight = rng.integers(0, 4, rows) + 2 * click
    frame = pl.DataFrame({"shop": shop, "user": user, "click": click, "buy": buy})
    return with_weight(frame, weight)


@pytest.mark.parametrize("method", ["naive", "esmm", "escm2_ipw", "dcmt", "choruscvr"])
def test_whole_weights_train_what_copies_of_rows_train(method: str, tmp_path: Path) -> None:
    plain = {"click": "click", "conversion": "buy", "categorical": ["shop", "user"]}
    frames = [small_log(3000, seed) for seed in (0, 1, 2)]
    copies = [f[np.repeat(np.arange(f.height), f["stands_for"].cast(pl.Int64))] for f in frames]
    sources = [[FrameSource(frame) for frame in kind] for kind in (frames, copies)]
    schemas = LogSchema.parse({**plain, "weight": "stands_for"}), LogSchema.parse(plain)
    logs = [
        prepare(LogSplits(schema, first, test, valid), tmp_path / f"log{k}")
        for k, (schema, (first, test, valid)) in enumerate(zip(schemas, sources, strict=True))
    ]
    assert logs[0].inputs == logs[1].inputs
    # One batch is the whole log; a large eps, so that rounding is not blown up by Adam's division.
    settings = small_settings(method, "batch_size=100000", "epochs=6", "eps=0.001", "dropout=0")
    runs = [train(log, settings, tmp_path / f"run{k}") for k, log in enumerate(logs)]
    found, expected = (saved_weights(run.folder) for run in runs)
    assert largest_difference(found, expected) < 1e-6
    moved = train(logs[1], small_settings(method, "batch_size=100000"), tmp_path / "other")
    assert largest_difference(saved_weights(moved.folder), expected) > 1e-3
    judged = [run.evaluate(log) for run, log in zip(runs, logs, strict=True)]
    for one, other in zip(judged[0].metrics, judged[1].metrics, strict=True):
        # Rows of equal features tie, but for the rounding of a matrix product.
        limit = 1e-4 if one.metric.endswith("auc") else 2e-6
        assert one.value == pytest.approx(other.value, abs=limit), one.metric
        assert one.size == pytest.approx(other.rows)
    for a, b in zip(runs[0].history, runs[1].history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["valid"] == pytest.approx(b["valid"], abs=1e-4)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreparedLog]:
    """A whole log; a tenth of its unclicked training rows; and these with a weight of ten."""
    raw = simulate("confounded", rows=40_000, seed=4, ctr=0.1, cvr=0.3, users=100, items=40)
    kept = np.random.default_rng(0).random(raw.train.height) < RATE
    click = raw.train["click"].to_numpy() == 1
    few = raw.train.filter(pl.Series(kept | click))
    weight = np.where(few["click"] == 1, 1.0, 1 / RATE)
    out = tmp_path_factory.mktemp("sampled")
    test = with_weight(raw.test, np.ones(raw.test.height))
    logs = {
        "whole": LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test)),
        "few": LogSplits(raw.schema, FrameSource(few), FrameSource(raw.test)),
        "weighted": LogSplits(
            weighted(raw.schema), FrameSource(with_weight(few, weight)), FrameSource(test)
        ),
    }
    return {name: prepare(splits, out / name) for name, splits in logs.items()}


def test_weights_undo_the_sampling_of_negatives(
    sampled: dict[str, PreparedLog], tmp_path: Path
) -> None:
    # Enough steps for the bias to come to rest, also where few rows are left.
    slow = ("batch_size=64", "lr=0.003", "schedule=linear", "keep=last", "patience=null")
    runs = {
        name: train(
            log,
            small_settings("esmm", *slow, f"epochs={2 if name == 'whole' else 6}"),
            tmp_path / name,
        )
        for name, log in sampled.items()
    }
    on_test = {
        name: runs[name].evaluate(log, "test").value("ctr_pcoc") for name, log in sampled.items()
    }
    print("CTR-PCOC on all test rows", on_test)
    assert on_test["whole"] == pytest.approx(1, abs=0.12)
    assert on_test["weighted"] == pytest.approx(1, abs=0.12)
    assert on_test["few"] is not None
    assert on_test["few"] > 3
    # Weighted validation rows, of which a tenth of the negatives are there, say what all would.
    held = {name: run.history[-1]["valid"]["ctr_nll"] for name, run in runs.items()}
    assert held["weighted"] == pytest.approx(held["whole"], rel=0.1)
    assert held["few"] > 1.5 * held["whole"]


def test_a_weighted_sample_of_rows_has_the_figures_of_all(
    sampled: dict[str, PreparedLog], tmp_path: Path
) -> None:
    """The same predictions, judged on all test rows and on a tenth of those without a click."""
    log = sampled["whole"]
    run = train(log, small_settings("esmm"), tmp_path / "run")
    whole = run.evaluate(log, "test", keep_predictions=True)
    labels, kept = split_labels(log, "test"), run.predictions("test")
    columns = {
        "ctr_logit": kept["ctr_logit"].to_numpy(),
        "cvr_logit": kept["cvr_logit"].to_numpy(),
        "click": labels.click,
        "conversion": labels.conversion,
    }
    found: dict[str, list[float]] = {}
    for seed in range(20):
        few = labels.click | (np.random.default_rng(seed).random(labels.click.size) < RATE)
        sums = EvaluationSums()
        weight = np.where(labels.click[few], 1, 1 / RATE)
        sums.update(**{name: values[few] for name, values in columns.items()}, weight=weight)
        for metric in sums.compute():
            assert metric.value is not None
            found.setdefault(metric.metric, []).append(metric.value)
    for name, values in found.items():
        value, sd = whole.value(name), float(np.std(values))
        print(f"{name}: {value:.5f} on all rows, {np.mean(values):.5f} (sd {sd:.5f}) on samples")
        assert np.mean(values) == pytest.approx(value, abs=4 * sd / np.sqrt(20) + 1e-6), name
    assert np.ptp(found["cvr_auc"]) < 1e-12  # clicked rows are all there


def test_a_weighted_run_is_exported_scores_and_is_calibrated(
    sampled: dict[str, PreparedLog], tmp_path: Path
) -> None:
    log = sampled["weighted"]
    run = train(log, small_settings("escm2_ipw"), tmp_path / "run")
    assert run.history[-1]["effective_sample_size"] > 0
    run.evaluate(log, "test", keep_predictions=True)
    raw = simulate("confounded", rows=40_000, seed=4, ctr=0.1, cvr=0.3, users=100, items=40)
    bundle = export(run, tmp_path / "bundle")
    scores = bundle.score(raw.test.drop("click", "conversion"))
    pctr = np.sort(sigmoid(run.predictions("test")["ctr_logit"].to_numpy()))
    np.testing.assert_allclose(np.sort(scores["pctr"].to_numpy()), pctr, atol=1e-5)
    for weights in ("none", "propensity"):
        done = calibrate(run, log, "platt", weights=weights, judge="test")
        assert done.after is not None
        assert done.after.pcoc == pytest.approx(1, abs=0.25)
    assert Run(run.folder).calibration is not None


def test_weighted_runs_are_compared(
    two_logs: tuple[PreparedLog, PreparedLog], raw: Any, tmp_path: Path
) -> None:
    """Tables, intervals and plots; the oracle's figures are weighted as those of the methods."""
    rng = np.random.default_rng(0)
    frames = [with_weight(f, rng.lognormal(size=f.height)) for f in (raw.train, raw.test)]
    log = prepare(
        LogSplits(weighted(raw.schema), *(FrameSource(f) for f in frames)), tmp_path / "log"
    )
    overrides = ["tower=[8]", "embedding_dim=4", "batch_size=512", "threads=1", "epochs=1"]
    found = compare(log, ["naive", "esmm"], tmp_path / "out", seeds=1, overrides=overrides)
    row = found.summary.row("cvr_auc", "clicked")
    assert row is not None
    diagnostics = json.loads((tmp_path / "out" / "diagnostics.json").read_text())
    protocol = diagnostics["protocols"]["fixed"]
    for name in ("naive", "esmm"):
        figures = {f["metric"]: f for f in protocol["intervals"]["methods"][name]["figures"]}
        assert figures["cvr_auc"]["value"] == pytest.approx(row.by_method[name].mean)
        assert figures["cvr_auc"]["low"] < figures["cvr_auc"]["value"] < figures["cvr_auc"]["high"]
        assert protocol["methods"][name]["calibration"]["weight"]
    (difference,) = protocol["differences"]["methods"].values()
    assert difference["low"] < difference["difference"] < difference["high"]
    first, second = (row.by_method[n].mean for n in sorted(row.by_method))
    assert abs(difference["difference"]) == pytest.approx(abs(first - second), abs=1e-9)
