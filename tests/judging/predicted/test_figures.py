"""Every figure of a judgement against those of runs, scikit-learn and polars."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from helpers.predictions import by_sums, close, figures, predictions, without
from helpers.registered import forgotten
from postclick import judge
from postclick.data.read import chunks
from postclick.judging.predicted import engine
from postclick.judging.predicted.spool import Spool
from postclick.metrics import Metric, RankingMetric, RatioMetric, State
from postclick.metrics.catalogue import register

FEW: Any = {"resamples": 40}
OPTIONS: list[dict[str, str]] = [
    {},
    {"group": "user"},
    {"weight": "times"},
    {"group": "user", "weight": "times"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("truth", [None, "true_cvr", "potential_conversion"])
def test_every_figure_is_that_of_an_evaluated_run(
    options: dict[str, str], truth: str | None
) -> None:
    log = predictions(600, seed=1, ties=truth is not None)
    known = {} if truth is None else {truth: "true" if truth == "true_cvr" else "potential"}
    judged = judge(log, **options, **known, **FEW)
    for model in ("a", "b"):
        expected = by_sums(
            log,
            model,
            true=known.get("true_cvr"),
            potential=known.get("potential_conversion"),
            **options,
        )
        found = {(one.metric, one.space): one for one in judged.figures if one.model == model}
        assert found.keys() == expected.keys()
        for key, one in expected.items():
            assert found[key].value == pytest.approx(one.value, rel=1e-10, abs=1e-12), key
            assert found[key].rows == one.rows
            assert found[key].positives == pytest.approx(one.positives, rel=1e-12)
            assert found[key].undefined == one.undefined
            if one.groups is not None:
                assert found[key].groups == one.groups.used


def test_figures_are_those_of_scikit_learn() -> None:
    log = predictions(800, seed=3)
    judged = judge(log, weight="times", **FEW)
    click, conversion, w = (log[name].to_numpy() for name in ("click", "conversion", "times"))
    for model in ("a", "b"):
        pctr, pcvr = log[f"pctr_{model}"].to_numpy(), log[f"pcvr_{model}"].to_numpy()
        seen = click == 1
        pairs = {
            "ctr": (click, pctr, w),
            "ctcvr": (conversion, pctr * pcvr, w),
            "cvr": (conversion[seen], pcvr[seen], w[seen]),
        }
        for name, (y, p, weight) in pairs.items():
            auc = roc_auc_score(y, p, sample_weight=weight)
            assert judged.value(model, f"{name}_auc") == pytest.approx(auc, rel=1e-12)
            nll = log_loss(y, p, sample_weight=weight)
            assert judged.value(model, f"{name}_nll") == pytest.approx(nll, rel=1e-12)
            pcoc = (weight * p).sum() / (weight * y).sum()
            assert judged.value(model, f"{name}_pcoc") == pytest.approx(pcoc, rel=1e-12)


@pytest.mark.parametrize("soft", [False, True])
def test_whole_weights_are_copies_of_rows(soft: bool) -> None:
    log = predictions(500, seed=4)
    known = {"true_cvr": "true"} if soft else {"potential_conversion": "potential"}
    options: Any = {"group": "user", "by": ["shop"], **known, **FEW}
    copies = log.select(pl.all().repeat_by("times").explode()).drop_nulls()
    weighed = judge(log, weight="times", **options)
    copied = judge(copies, **options)
    close(figures(weighed), figures(copied))
    for a, b in zip(weighed.segments, copied.segments, strict=True):
        assert (a.value, a.model, a.quantity) == (b.value, b.model, b.quantity)
        assert a.predicted == pytest.approx(b.predicted, rel=1e-10)
        assert a.observed == pytest.approx(b.observed, rel=1e-10)


EVERYTHING: Any = {
    "group": "user", "weight": "times", "by": ["shop", "price"], "time": "day",
    "exposure": "position", "propensity": "pctr", "true_cvr": "true", **FEW,
}  # fmt: skip


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, rows in ((40, 1), (700, 97)):
        monkeypatch.setattr(chunks, "CHUNK_ROWS", 10_000)
        log = predictions(count, seed=6)
        whole = without(judge(log, **EVERYTHING))
        monkeypatch.setattr(chunks, "CHUNK_ROWS", rows)
        close(without(judge(log, **EVERYTHING)), whole)


def test_rows_on_disk_are_judged_as_rows_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    log = predictions(700, seed=6)
    whole = without(judge(log, **EVERYTHING))
    made: list[Spool] = []

    def small() -> Spool:
        made.append(Spool(memory_bytes=1000))
        return made[-1]

    monkeypatch.setattr(engine, "Spool", small)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 97)
    close(without(judge(log, **EVERYTHING)), whole)
    folders = [Path(one._folder.name) for one in made if one._folder is not None]
    assert folders
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("group", [None, "user"])
def test_the_order_of_rows_changes_no_figure(group: str | None) -> None:
    log = predictions(700, seed=7)
    options: Any = {"group": group, "by": ["shop", "price"], "weight": "times", **FEW}
    straight, turned = (
        judge(log, **options),
        judge(log.sample(fraction=1, shuffle=True, seed=3), **options),
    )
    close(figures(straight), figures(turned), 1e-11)
    if group is not None:  # units are groups, and so are all intervals
        close(without(straight), without(turned), 1e-9)


def test_metrics_that_are_registered_are_judged() -> None:
    class Brier(RatioMetric):
        name, definition, higher_is_better = "brier", "mean squared error", False

        def summands(self, rows: Any) -> Any:
            return (np.square(rows.prediction - rows.label),)

        def ratio(self, rows: Any, positives: Any, *sums: Any, **_: Any) -> Any:
            return sums[0] / rows

    class Top(RankingMetric):
        name, definition, higher_is_better = "top", "label of the highest score", True

        def compute(self, state: Any) -> float:
            return float(state.label[state.score.argmax()])

        def weighted(self, rows: Any) -> Any:
            order = rows.score.argsort()
            return lambda w: float(rows.label[order][w[order] > 0][-1])

    with forgotten():
        register(Brier())
        register(Top())
        log = predictions(500, seed=8)
        judged = judge(log, **FEW)
        for model in ("a", "b"):
            expected = by_sums(log, model)
            for name in ("ctr_brier", "ctcvr_brier", "cvr_brier", "ctr_top", "cvr_top", "cvr_auc"):
                (one,) = (v for (metric, _), v in expected.items() if metric == name)
                assert judged.value(model, name) == pytest.approx(one.value, rel=1e-10)
        brier = judged.figure("a", "ctr_brier")
        assert brier is not None and brier.low is not None and brier.low < (brier.value or 0)
        assert {one.metric for one in judged.differences} >= {"ctr_brier", "cvr_brier"}
    assert judge(log, **FEW).figure("a", "ctr_brier") is None


def test_metrics_with_states_of_their_own_are_judged() -> None:
    class Extreme(State):
        def __init__(self) -> None:
            super().__init__()
            self.highest = 0.0

        def add(self, rows: Any) -> None:
            super().add(rows)
            if len(rows):
                self.highest = max(self.highest, float(rows.prediction.max()))

    class Highest(Metric[Extreme]):
        name, definition, higher_is_better = "highest", "highest prediction", True

        def state(self) -> Extreme:
            return Extreme()

        def compute(self, state: Extreme) -> float:
            return state.highest

        def weighted(self, rows: Any) -> Any:
            return lambda w: float(rows.prediction[w > 0].max())

    with forgotten():
        register(Highest())
        log = predictions(500, seed=8)
        judged = judge(log, **FEW)
        assert judged.value("a", "ctr_highest") == pytest.approx(log["pctr_a"].max(), rel=1e-12)
        # It does not say that it knows weights.
        weighed = judge(log, weight="times", **FEW).figure("a", "ctr_highest")
        assert weighed is not None and weighed.value is None
        assert "knows no row weights" in (weighed.undefined or "")


def test_many_metrics_with_sums_of_their_own_keep_them_apart() -> None:
    class Shifted(RatioMetric):
        definition, higher_is_better = "mean of the prediction plus", True

        def __init__(self, k: int) -> None:
            self.name, self._k = f"shifted{k}", k

        def summands(self, rows: Any) -> Any:
            return (rows.prediction + self._k,)

        def ratio(self, rows: Any, positives: Any, *sums: Any, **_: Any) -> Any:
            return sums[0] / rows

    with forgotten():
        for k in range(12):
            register(Shifted(k))
        log = predictions(300)
        judged = judge(log, **FEW)
        mean = float(log["pctr_a"].to_numpy().mean())
        for k in range(12):
            assert judged.value("a", f"ctr_shifted{k}") == pytest.approx(mean + k, rel=1e-12)


def test_the_third_probability_follows_from_two() -> None:
    log = predictions(500, seed=9)
    three = log.select(
        "click",
        "conversion",
        pctr_x="pctr_a",
        pcvr_x="pcvr_a",
        pctr_y="pctr_a",
        pctcvr_y=pl.col("pctr_a") * pl.col("pcvr_a"),
        pctcvr_z=pl.col("pctr_a") * pl.col("pcvr_a"),
    )
    judged = judge(three, **FEW)
    of = {m: {k[1:]: v for k, v in figures(judged).items() if k[0] == m} for m in "xyz"}
    close(of["x"], of["y"], 1e-12)
    assert {metric.split("_")[0] for metric, _ in of["z"]} == {"ctcvr"}
    close(of["z"], {key: of["x"][key] for key in of["z"]}, 1e-12)


def test_where_a_figure_has_no_value_it_says_why() -> None:
    log = predictions(300, seed=10)
    reasons = {
        "no clicked rows": log.filter(pl.col("click") == 0),
        "no conversions among": log.with_columns(conversion=pl.lit(0)),
        "no negatives: conversions on all": log.filter(pl.col("conversion") == 1),
        "infinite: a prediction of exactly 0 or 1 was wrong": log.with_columns(
            pcvr_a=1.0 - pl.col("conversion").cast(pl.Float64)
        ),
    }
    for reason, frame in reasons.items():
        judged = judge(frame, **FEW)
        told = [one for one in judged.figures if one.model == "a" and one.metric.startswith("cvr_")]
        assert any(one.value is None and (one.undefined or "").startswith(reason) for one in told)
        assert all((one.value is None) == (one.undefined is not None) for one in judged.figures)
        for one in judged.figures:
            if one.value is None:
                assert (one.low, one.high, one.standard_error) == (None, None, None)
