import ast
import dataclasses
import json
import sys
from pathlib import Path

import pytest

import postclick.metrics
from postclick.errors import InputError
from postclick.metrics import METRICS, Groups, MetricValue, badness, better, figure_named

ENTIRE = ("entire",)
CLICKED = ("clicked",)
ALL = ("clicked", "unclicked", "entire")
SPEC = {
    "ctr_auc": (True, None, ENTIRE),
    "ctcvr_auc": (True, None, ENTIRE),
    "cvr_auc": (True, None, CLICKED),
    "ctr_nll": (False, None, ENTIRE),
    "ctcvr_nll": (False, None, ENTIRE),
    "cvr_nll": (False, None, CLICKED),
    "ctr_pcoc": (None, 1.0, ENTIRE),
    "ctcvr_pcoc": (None, 1.0, ENTIRE),
    "cvr_pcoc": (None, 1.0, CLICKED),
    "cvr_bias_recorded": (None, 0.0, ENTIRE),
    "ctr_gauc": (True, None, ENTIRE),
    "ctcvr_gauc": (True, None, ENTIRE),
    "cvr_gauc": (True, None, CLICKED),
    "true_cvr_auc": (True, None, ALL),
    "true_cvr_nll": (False, None, ALL),
    "cvr_bias": (None, 0.0, ALL),
    "cvr_relative_bias": (None, 0.0, ALL),
}


def test_registry() -> None:
    got = {m.name: (m.higher_is_better, m.target, m.spaces) for m in METRICS.values()}
    assert got == SPEC
    assert all(name == metric.name for name, metric in METRICS.items())


def test_definitions_are_one_line_and_distinct() -> None:
    definitions = [metric.definition for metric in METRICS.values()]
    assert len(set(definitions)) == len(definitions)
    assert not any("\n" in definition for definition in definitions)


def test_recorded_bias_warns_of_itself() -> None:
    definition = METRICS["cvr_bias_recorded"].definition
    assert "penalises correct predictions on unclicked rows" in definition


def test_only_metrics_against_truth_need_it() -> None:
    needing = {name for name, metric in METRICS.items() if metric.needs_truth}
    assert needing == {"true_cvr_auc", "true_cvr_nll", "cvr_bias", "cvr_relative_bias"}


def test_only_metrics_within_groups_need_them() -> None:
    needing = {name for name, metric in METRICS.items() if metric.needs}
    assert needing == {"ctr_gauc", "ctcvr_gauc", "cvr_gauc"}


def test_unknown_metric_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no metric 'cvr_acu'.*cvr_auc"):
        figure_named("cvr_acu")
    with pytest.raises(InputError, match="no metric 'x'"):
        better("x", 1.0, 2.0)


@pytest.mark.parametrize("name", METRICS)
def test_better_is_a_strict_order(name: str) -> None:
    values = [-0.4, 0.0, 0.3, 0.9, 1.0, 1.2, 3.0]
    for a in values:
        assert not better(name, a, a)
        for b in values:
            assert not (better(name, a, b) and better(name, b, a))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ctr_auc", 0.8, 0.7),
        ("cvr_nll", 0.1, 0.2),
        ("cvr_pcoc", 1.1, 0.8),
        ("cvr_pcoc", 0.9, 1.2),
        ("cvr_bias", -0.01, 0.02),
        ("cvr_relative_bias", 0.1, -0.3),
    ],
)
def test_direction(name: str, good: float, bad: float) -> None:
    assert better(name, good, bad)
    assert not better(name, bad, good)
    assert better(METRICS[name], good, bad)
    assert badness(name, good) < badness(name, bad)


def test_nan_is_not_compared() -> None:
    with pytest.raises(InputError, match="cvr_auc is NaN"):
        better("cvr_auc", 0.5, float("nan"))


def test_value_or_reason() -> None:
    for value, reason in ((None, None), (0.5, "why"), (float("nan"), None), (float("inf"), None)):
        with pytest.raises(ValueError, match="cvr_auc"):
            MetricValue("cvr_auc", "clicked", value, reason, 1, 1.0)


def test_value_is_frozen_and_plain_json() -> None:
    value = MetricValue("cvr_auc", "clicked", 0.5, None, 10, 3.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.value = 0.6  # type: ignore[misc]
    assert json.loads(json.dumps(value.as_dict()))["space"] == "clicked"
    assert "groups" not in value.as_dict()
    grouped = dataclasses.replace(value, groups=Groups(2, 8, 1, 2))
    assert grouped.as_dict() == {
        **value.as_dict(),
        "groups": {"used": 2, "rows_used": 8, "one_class": 1, "rows_without": 2},
    }


def test_metrics_need_numpy_only() -> None:
    """Metrics must run in a worker or a service that has no torch and no SciPy."""
    package = Path(postclick.metrics.__file__).parent
    imported = set()
    for file in package.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    ours = {name for name in imported if name.startswith("postclick.")}
    below = {f"postclick.{name}" for name in ("errors", "logits", "registry", "suggest")}
    assert {name for name in ours if not name.startswith("postclick.metrics")} <= below
    outside = {name.split(".")[0] for name in imported - ours} - set(sys.stdlib_module_names)
    assert outside <= {"numpy"}
