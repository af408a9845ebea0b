"""Judging a split whose rows have weights: figures, segments, oracle and propensity check."""

from pathlib import Path

import numpy as np
import pytest

from helpers.runs import small_settings
from postclick import prepare, simulate
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.judging.judge import judge
from postclick.judging.labels import split_labels
from postclick.judging.oracle import baseline_value, oracle_metrics
from postclick.judging.predictions import Predictions
from postclick.logits import sigmoid
from postclick.metrics import EvaluationSums
from postclick.runs.build import build_method


def test_a_split_is_judged_by_its_weights(tmp_path: Path) -> None:
    raw = simulate("confounded", rows=6_000, seed=1, ctr=0.3, cvr=0.3, users=50, items=20)
    frames = [
        frame.with_columns(w=np.random.default_rng(k).lognormal(size=frame.height))
        for k, frame in enumerate((raw.train, raw.test))
    ]
    schema = LogSchema.parse({**raw.schema.model_dump(mode="json"), "weight": "w"})
    log = prepare(LogSplits(schema, *(FrameSource(f) for f in frames)), tmp_path / "log")
    method = build_method(small_settings("escm2_ipw"), log)
    kept = Predictions()
    found = judge(method, log, "test", batch_size=700, keep=kept, by=["position"])
    labels, frame = split_labels(log, "test"), kept.frame()
    assert labels.weight is not None
    columns = {
        "ctr_logit": frame["ctr_logit"].to_numpy(),
        "cvr_logit": frame["cvr_logit"].to_numpy(),
        "click": labels.click,
        "conversion": labels.conversion,
        "true_cvr": labels.truth["true_cvr"],
        "weight": labels.weight,
    }
    sums = EvaluationSums()
    sums.update(**columns)
    for one, other in zip(found.metrics, sums.compute(), strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6), one.metric
        assert one.weight == pytest.approx(other.weight)
    # Segments are judged by the weights of their own rows, and count rows.
    (by,) = found.by
    position = np.concatenate(
        [
            w.ids[:, [c.name for c in log.manifest.ids].index("position")]
            for w in log.windows("test")
        ]
    )
    sizes = sorted(np.unique(position, return_counts=True)[1].tolist(), reverse=True)
    assert [segment.rows for segment in by.segments] == sizes
    total = sum(next(iter(s.metrics)).weight or 0.0 for s in by.segments)
    assert total == pytest.approx(float(labels.weight.sum()), rel=1e-5)
    # The propensity check is a weighted mean.
    assert method.clip is not None
    pi = sigmoid(columns["ctr_logit"].astype(np.float64)).clip(*method.clip)
    check = found.propensity
    assert check is not None
    w = labels.weight.astype(np.float64)
    assert check.click_over_pi == pytest.approx(np.average(labels.click / pi, weights=w), rel=1e-6)
    rest = np.average(~labels.click / (1 - pi), weights=w)
    assert check.unclick_over_rest == pytest.approx(rest, rel=1e-6)
    # An oracle is judged by the same weights, beside the mean label by these.
    oracle = {(m.metric, m.space): m for m in oracle_metrics(log, "test")}
    truth = labels.truth["true_cvr"].astype(np.float64)
    entropy = -(truth * np.log(truth) + (1 - truth) * np.log(1 - truth))
    nll = oracle["true_cvr_nll", "entire"]
    assert nll.value == pytest.approx(np.average(entropy, weights=w), rel=1e-6)
    mean = np.average(truth, weights=w)
    expected = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean))
    assert baseline_value(nll) == pytest.approx(expected, rel=1e-6)
