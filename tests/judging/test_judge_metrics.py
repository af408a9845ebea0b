"""Metrics beside the usual ones in a judgement: within groups, and registered ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from helpers.by_hand import Floats, predicted, stored
from helpers.registered import NormalisedEntropy, forgotten
from postclick import prepare
from postclick.data import manifest as m
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.judging.judge import Judgement, judge
from postclick.judging.labels import split_labels
from postclick.judging.oracle import oracle_metrics
from postclick.methods.base import Method
from postclick.metrics import register


def test_groups_of_the_log_are_used(
    method: Method[Any],
    small_log: PreparedLog,
    small_raw: SimulatedLog,
    judgement: Judgement,
    tmp_path: Path,
) -> None:
    assert not any("gauc" in metric.metric for metric in judgement.metrics)
    schema = small_raw.schema.model_copy(update={"group": "user"})
    splits = LogSplits(schema, FrameSource(small_raw.train), FrameSource(small_raw.test))
    grouped = prepare(splits, tmp_path / "data", shard_rows=1_500)
    ctr, cvr = predicted(method, small_log)  # the same rows in the same order
    click, conversion = stored(small_log, m.CLICK) == 1, stored(small_log, m.CONVERSION) == 1
    group = split_labels(grouped, "test").group
    assert group is not None
    assert np.unique(group).size == small_raw.test["user"].n_unique()
    found = judge(method, grouped, "test", batch_size=333)
    value = found.value("ctr_gauc", "entire")
    assert value == pytest.approx(within_groups(ctr, click, group), rel=1e-6)
    value = found.value("cvr_gauc", "clicked")
    wanted = within_groups(cvr[click], conversion[click], group[click])
    assert value == pytest.approx(wanted, rel=1e-6)
    others = [metric for metric in found.metrics if "gauc" not in metric.metric]
    assert others == list(judgement.metrics)
    told = next(metric for metric in found.metrics if metric.metric == "ctr_gauc").groups
    assert told is not None and told.used + told.one_class == np.unique(group).size
    oracle = {metric.metric for metric in oracle_metrics(grouped, "test")}
    assert {"ctr_gauc", "ctcvr_gauc", "cvr_gauc"} <= oracle


def test_a_registered_metric_is_measured(
    method: Method[Any], small_log: PreparedLog, judgement: Judgement
) -> None:
    with forgotten():
        register(NormalisedEntropy)
        found = judge(method, small_log, "test", batch_size=333)
    click = stored(small_log, m.CLICK)
    entropy = log_loss(click, np.full(click.size, click.mean()))
    wanted = judgement.value("ctr_nll") / entropy
    assert found.value("ctr_ne", "entire") == pytest.approx(wanted, rel=1e-9)
    assert [x for x in found.metrics if not x.metric.endswith("_ne")] == list(judgement.metrics)


def within_groups(score: Floats, label: NDArray[Any], group: NDArray[Any]) -> float:
    found = [
        ((group == g).sum(), roc_auc_score(label[group == g], score[group == g]))
        for g in np.unique(group)
        if 0 < label[group == g].sum() < (group == g).sum()
    ]
    weights, values = zip(*found, strict=True)
    return float(np.average(values, weights=weights))
