"""Figures: what each is called, its value, and the reason why it has none; and new metrics."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from helpers.judged_logs import by_key, evaluated, log, pick
from helpers.registered import NormalisedEntropy, forgotten
from postclick.errors import InputError
from postclick.metrics import (
    AUC,
    METRICS,
    EvaluationSums,
    Metric,
    Rows,
    Space,
    State,
    figure_named,
    metric_named,
    register,
    registered,
)
from postclick.metrics.catalogue import OURS
from postclick.stats import bootstrap_difference


def state_of(metric: str, label: list[float] | list[bool], prediction: list[float]) -> State:
    q = np.array(prediction)
    state: State = METRICS[metric].metric.state()
    state.add(Rows(np.array(label), q, prediction=lambda: q, nll=lambda: np.ones(q.size)))
    return state


@pytest.mark.parametrize(
    ("metric", "space", "label", "reason"),
    [
        ("ctr_auc", "entire", [], "no rows"),
        ("cvr_auc", "clicked", [], "no clicked rows"),
        ("true_cvr_auc", "unclicked", [], "no unclicked rows"),
        ("ctr_nll", "entire", [], "no rows"),
        ("cvr_bias", "unclicked", [], "no unclicked rows"),
        ("ctr_auc", "entire", [False], "no clicks among 1 row"),
        ("cvr_auc", "clicked", [False] * 4294, "no conversions among 4,294 clicked rows"),
        ("cvr_auc", "clicked", [True] * 3, "no negatives: conversions on all 3 clicked rows"),
        (
            "true_cvr_auc",
            "unclicked",
            [1.0, 1.0],
            "no negatives: potential conversions on all 2 unclicked rows",
        ),
        (
            "cvr_pcoc",
            "clicked",
            [False] * 2,
            "sum of labels is 0: no conversions among 2 clicked rows",
        ),
        (
            "cvr_relative_bias",
            "entire",
            [0.0],
            "sum of labels is 0: no potential conversions among 1 row",
        ),
    ],
)
def test_reasons(metric: str, space: Space, label: list[float], reason: str) -> None:
    got = METRICS[metric].measure(space, state_of(metric, label, [0.5] * len(label)))
    assert got.value is None
    assert got.undefined == reason
    assert got.rows == len(label)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("true_cvr_auc", 0.75),
        ("true_cvr_nll", 1.0),
        ("cvr_bias", -0.05),
        ("cvr_relative_bias", -0.1),
        ("ctr_pcoc", 0.9),
    ],
)
def test_values(metric: str, value: float) -> None:
    state = state_of(metric, [False, False, True, True], [0.1, 0.5, 0.4, 0.8])
    got = METRICS[metric].measure("entire", state)
    assert got.value == pytest.approx(value, rel=1e-14, abs=0)
    assert (got.undefined, got.rows, got.positives) == (None, 4, 2.0)


def test_bias_and_loss_need_no_positive() -> None:
    for metric, value in (("cvr_bias", 0.5), ("cvr_nll", 1.0)):
        state = state_of(metric, [False, False], [0.25, 0.75])
        assert METRICS[metric].measure("clicked", state).value == value


def test_infinite_sums_are_told_not_returned() -> None:
    state = METRICS["ctcvr_nll"].metric.state()
    state.add(Rows(np.array([False]), np.array([0.0]), nll=lambda: np.array([np.inf])))
    got = METRICS["ctcvr_nll"].measure("entire", state)
    assert got.value is None
    assert got.undefined == "infinite: a prediction of exactly 0 or 1 was wrong"
    tiny = METRICS["cvr_relative_bias"].measure(
        "entire", state_of("cvr_relative_bias", [5e-324], [1.0])
    )
    assert tiny.undefined == "the sum is not finite over 1 row"


class Largest(Metric[State]):
    """A state of its own, a value that no sum gives."""

    name = "largest"
    definition = "largest score"
    target = 1.0

    class Kept(State):
        largest = -np.inf

        def add(self, rows: Rows) -> None:
            super().add(rows)
            self.largest = max(self.largest, float(rows.score.max(initial=-np.inf)))

        def merge(self, other: Any) -> None:
            super().merge(other)
            self.largest = max(self.largest, other.largest)

    def state(self) -> Kept:
        return Largest.Kept()

    def compute(self, state: Any) -> float | None:
        return float(state.largest)

    def weighted(self, rows: Rows) -> Any:
        return lambda weights: float(rows.score[weights > 0].max(initial=-np.inf))


@pytest.fixture
def registry() -> Iterator[None]:
    with forgotten():
        yield


def expected_ne(columns: dict[str, Any]) -> float:
    p = 1 / (1 + np.exp(-columns["ctr_logit"].astype(np.float64)))
    c = columns["click"] == 1
    entropy = -(c.mean() * np.log(c.mean()) + (1 - c.mean()) * np.log(1 - c.mean()))
    return float(-np.where(c, np.log(p), np.log(1 - p)).mean() / entropy)


def test_a_metric_of_ones_own_is_computed_where_asked_for() -> None:
    columns = pick(log(500), "true_cvr")
    sums = EvaluationSums([NormalisedEntropy(), Largest()])
    other = EvaluationSums([NormalisedEntropy(), Largest()])
    for rows in np.split(np.arange(500), 5):
        part = {name: value[rows] for name, value in columns.items()}
        (sums if rows[0] < 300 else other).update(**part)
    got = by_key(sums.merge(other))
    assert {name for name, _ in got} == {
        f"{quantity}_{name}" for quantity in ("ctr", "ctcvr", "cvr") for name in ("ne", "largest")
    }
    assert got["ctr_ne", "entire"].value == pytest.approx(expected_ne(columns), rel=1e-10)
    assert got["ctr_largest", "entire"].value == columns["ctr_logit"].max()
    assert got["cvr_largest", "clicked"].rows == columns["click"].sum()
    with pytest.raises(InputError, match="sums are of other metrics"):
        sums.merge(EvaluationSums())


def test_one_rows_entropy_is_undefined_not_an_exception() -> None:
    sums = EvaluationSums([NormalisedEntropy()])
    sums.update([0.0], [0.0], [1], [0])
    assert by_key(sums)["ctr_ne", "entire"].undefined == "the sum is not finite over 1 row"


def test_a_registered_metric_is_everywhere(registry: None) -> None:
    assert "ctr_ne" not in METRICS
    register(NormalisedEntropy)
    register(NormalisedEntropy())  # a cell of a notebook, run again
    assert [metric.name for metric in registered()].count("ne") == 1
    assert figure_named("ctr_ne").definition.startswith("NLL over the entropy of the base rate, of")
    assert figure_named("cvr_ne").spaces == ("clicked",)
    columns = pick(log(500))
    assert by_key(evaluated(columns))["ctr_ne", "entire"].value == pytest.approx(
        expected_ne(columns), rel=1e-10
    )
    rng = np.random.default_rng(0)
    a, label = rng.normal(size=400), rng.random(400) < 0.3
    found = bootstrap_difference("ne", a, a - 1.0, label, resamples=100)
    rate = label.mean()
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    loss = np.where(label, np.logaddexp(0, -a), np.logaddexp(0, a)).mean() / entropy
    assert found.a.value == pytest.approx(loss, rel=1e-10)
    assert found.gain.value == pytest.approx(-found.difference.value, rel=1e-12)


def test_its_weighted_form_is_its_value_with_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    score, label = rng.normal(size=60).round(1), rng.random(60) < 0.4
    weights = rng.poisson(1.0, 60)
    again = np.repeat(np.arange(60), weights)
    for metric in (*OURS, NormalisedEntropy(), Largest()):
        group = rng.integers(1, 5, 60)
        state = metric.state()
        state.add(Rows(label[again], score[again], group[again]))
        found = metric.weighted(Rows(label, score, group))(weights.astype(float))
        assert found == pytest.approx(metric.compute(state), rel=1e-12), metric.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"higher_is_better": None}, "'ne' needs one direction"),
        ({"target": 1.0}, "'ne' needs one direction"),
        ({"needs": frozenset({"price"})}, "needs a column 'price'; what it can have is: group"),
        ({"definition": None}, "'ne' has no name or no definition"),
        ({"name": "auc"}, "two metrics called 'auc'"),
        ({"name": "bias"}, "two metrics called 'bias'"),
    ],
)
def test_an_incomplete_metric_is_refused(
    change: dict[str, Any], message: str, registry: None
) -> None:
    strange = type("Strange", (NormalisedEntropy,), change)
    with pytest.raises(InputError, match=message):
        EvaluationSums([*registered(), strange()])
    before = dict(METRICS)
    with pytest.raises(InputError, match=message):
        register(strange)
    assert dict(METRICS) == before


def test_what_is_no_metric_is_refused(registry: None) -> None:
    with pytest.raises(InputError, match="is no metric"):
        EvaluationSums([AUC])  # type: ignore[list-item]
    clash = type("Clash", (NormalisedEntropy,), {"reported": AUC().reported})
    with pytest.raises(InputError, match="two metrics report a figure 'ctr_auc'"):
        register(clash)


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no metric 'accuracy'; there are: auc, nll, pcoc"):
        metric_named("accuracy")
    with pytest.raises(InputError, match=r"'auc' \(did you mean 'cvr_auc'\?\); there are: ctr_auc"):
        figure_named("auc")
    for name in ("auc", "ctr_auc "):
        with pytest.raises(KeyError):
            METRICS[name]
