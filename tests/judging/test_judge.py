"""Judging a method on a prepared log, against figures computed from its predictions by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from helpers.by_hand import predicted, shaken, stored
from postclick.data import manifest as m
from postclick.data import prepared
from postclick.data.arrays import RowArrays
from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.judging.judge import Judgement, judge
from postclick.methods.base import Method, Prediction


def test_recorded_metrics_by_hand(
    method: Method[Any], small_log: PreparedLog, judgement: Judgement
) -> None:
    ctr, cvr = predicted(method, small_log)
    click, conversion = stored(small_log, m.CLICK), stored(small_log, m.CONVERSION)
    clicked = click == 1
    expected = {
        "ctr_auc": roc_auc_score(click, ctr),
        "ctcvr_auc": roc_auc_score(conversion, ctr * cvr),
        "cvr_auc": roc_auc_score(conversion[clicked], cvr[clicked]),
        "ctr_nll": log_loss(click, ctr),
        "ctcvr_nll": log_loss(conversion, ctr * cvr),
        "cvr_nll": log_loss(conversion[clicked], cvr[clicked]),
        "ctr_pcoc": ctr.sum() / click.sum(),
        "ctcvr_pcoc": (ctr * cvr).sum() / conversion.sum(),
        "cvr_pcoc": cvr[clicked].sum() / conversion.sum(),
        "cvr_bias_recorded": cvr.mean() - conversion.mean(),
    }
    for name, value in expected.items():
        assert judgement.value(name) == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("space", ["clicked", "unclicked", "entire"])
def test_metrics_against_truth_by_hand(
    method: Method[Any], small_log: PreparedLog, judgement: Judgement, space: str
) -> None:
    _, cvr = predicted(method, small_log)
    click, truth = stored(small_log, m.CLICK), stored(small_log, m.TRUE_CVR)
    rows = {"clicked": click == 1, "unclicked": click == 0, "entire": click >= 0}[space]
    q, r = cvr[rows], truth[rows]
    assert judgement.value("cvr_bias", space) == pytest.approx(q.mean() - r.mean(), rel=1e-4)
    relative = q.mean() / r.mean() - 1
    assert judgement.value("cvr_relative_bias", space) == pytest.approx(relative, rel=1e-4)
    nll = -(r * np.log(q) + (1 - r) * np.log1p(-q)).mean()
    assert judgement.value("true_cvr_nll", space) == pytest.approx(nll, rel=1e-5)
    assert (judgement.value("true_cvr_auc", space) or 0) > 0


def test_the_propensity_check_by_hand(
    method: Method[Any], small_log: PreparedLog, judgement: Judgement
) -> None:
    ctr, _ = predicted(method, small_log)
    pi, click = np.clip(ctr, 0.06, 0.8), stored(small_log, m.CLICK)
    assert 0.05 < (pi != ctr).mean() < 0.95, "the clip has to bind on some rows"
    assert judgement.propensity is not None
    assert judgement.propensity.click_over_pi == pytest.approx((click / pi).mean(), rel=1e-6)
    rest = ((1 - click) / (1 - pi)).mean()
    assert judgement.propensity.unclick_over_rest == pytest.approx(rest, rel=1e-6)


def test_a_right_propensity_passes_its_check(small_log: PreparedLog) -> None:
    """The simulated log says how probable each click was."""
    truth = torch.from_numpy(stored(small_log, m.TRUE_CTR)).float()

    class Oracle:
        """Knows the true CTR of each test row, in stored order."""

        clip = (1e-6, 1 - 1e-6)
        training = False
        seen = 0

        def parameters(self) -> Iterator[torch.Tensor]:
            yield torch.zeros(1)

        def eval(self) -> None:
            return None

        def train(self, mode: bool) -> None:
            return None

        def predict(self, batch: Batch) -> Prediction:
            ctr = truth[self.seen : self.seen + len(batch)].logit()
            self.seen += len(batch)
            return Prediction(ctr, torch.zeros(len(batch)))

    found = judge(Oracle(), small_log, "test", batch_size=700)  # type: ignore[arg-type]
    assert found.propensity is not None
    assert found.propensity.click_over_pi == pytest.approx(1.0, abs=0.06)
    assert found.propensity.unclick_over_rest == pytest.approx(1.0, abs=0.06)
    assert found.value("ctr_pcoc") == pytest.approx(1.0, abs=0.06)
    assert found.value("ctr_auc") == pytest.approx(
        roc_auc_score(stored(small_log, m.CLICK), truth.numpy())
    )


def test_methods_without_propensities_have_no_check(small_log: PreparedLog) -> None:
    assert judge(shaken(small_log, "esmm"), small_log, "valid").propensity is None


@pytest.mark.parametrize("batch_size", [1, 77, 100_000])
def test_batches_do_not_matter(
    method: Method[Any], small_log: PreparedLog, batch_size: int
) -> None:
    """On 200 rows only: one at a time takes long."""
    log = PreparedLog(small_log.folder)
    log._cache["test"] = first_rows(small_log.rows("test"), 200)
    one = judge(method, log, "test", batch_size=batch_size)
    other = judge(method, log, "test", batch_size=50)
    assert one.metrics[0].rows == 200
    for a, b in zip(one.metrics, other.metrics, strict=True):
        assert (a.metric, a.space, a.rows) == (b.metric, b.space, b.rows)
        assert a.value == pytest.approx(b.value, rel=1e-5)


def first_rows(rows: RowArrays, count: int) -> RowArrays:
    part = slice(0, count)
    truth = {name: values[part] for name, values in rows.truth.items()}
    labels = rows.click[part], rows.conversion[part]
    return RowArrays(rows.ids[part], rows.numeric[part], (), *labels, truth)


def test_shard_by_shard_is_the_same(
    method: Method[Any],
    small_log: PreparedLog,
    judgement: Judgement,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prepared, "IN_MEMORY_BYTES", 0)
    log = PreparedLog(small_log.folder)
    assert len(log.split("test").shards) > 1
    streamed = judge(method, log, "test", batch_size=333)
    assert log._cache == {}
    for a, b in zip(streamed.metrics, judgement.metrics, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-5)


def test_no_method_sees_the_truth(
    method: Method[Any], small_log: PreparedLog, judgement: Judgement
) -> None:
    """Neither as part of a batch nor in what it predicts."""
    rows = small_log.rows("test")
    assert set(rows.truth) == set(m.TRUTH_COLUMNS)
    batch = rows.take(torch.arange(10))
    assert set(vars(batch)) == {
        "ids",
        "numeric",
        "bags",
        "click",
        "conversion",
        "weight",
        "exposure",
    }
    assert len(small_log.inputs.field_sizes) + small_log.inputs.numerics == len(
        small_log.manifest.log_schema.feature_names
    )
    log = PreparedLog(small_log.folder)
    for values in log.rows("test").truth.values():
        values[:] = 0.5 if values.max() < 1 else 1 - values
    changed = judge(method, log, "test", batch_size=333)
    for a, b in zip(changed.metrics, judgement.metrics, strict=True):
        if not a.metric.startswith(("true_", "cvr_bias", "cvr_relative")):
            assert a == b
    assert changed.value("true_cvr_nll", "entire") != judgement.value("true_cvr_nll", "entire")


def test_a_log_without_truth_has_no_metrics_against_it(
    method: Method[Any], small_log: PreparedLog
) -> None:
    log = PreparedLog(small_log.folder)
    log.rows("test").truth.clear()
    found = judge(method, log, "test")
    assert not any(x.metric.startswith("true_") for x in found.metrics)
    assert found.value("true_cvr_auc") is None
    assert found.value("cvr_auc") is not None


def test_drawn_outcomes_serve_where_probabilities_are_missing(
    method: Method[Any], small_log: PreparedLog
) -> None:
    log = PreparedLog(small_log.folder)
    del log.rows("test").truth[m.TRUE_CVR]
    _, cvr = predicted(method, log)
    drawn = stored(small_log, m.POTENTIAL)
    found = judge(method, log, "test")
    assert found.value("true_cvr_auc", "entire") == pytest.approx(roc_auc_score(drawn, cvr))


def test_judging_leaves_the_method_as_it_was(small_log: PreparedLog) -> None:
    method = shaken(small_log, "esmm", "dropout=0.5")
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    for mode in (True, False):
        method.train(mode)
        first, second = (judge(method, small_log, "valid") for _ in range(2))
        assert first == second, "dropout has to be off"
        assert method.training is mode
    after = method.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(parameter.grad is None for parameter in method.parameters())


def test_predictions_that_are_not_finite_are_one_line(small_log: PreparedLog) -> None:
    method = shaken(small_log, "esmm")
    with torch.no_grad():
        method.embedding.table[5:] = float("inf")
    with pytest.raises(RunFailedError, match="the ctr head predicts NaN or infinity on the valid"):
        judge(method, small_log, "valid")
