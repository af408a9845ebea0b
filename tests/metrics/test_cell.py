import numpy as np
import pytest

from postclick.metrics.cell import Cell, measure
from postclick.metrics.metric import METRICS, Space


def cell_of(label: list[float] | list[bool], prediction: list[float]) -> Cell:
    cell = Cell()
    q = np.array(prediction)
    cell.add(np.array(label), prediction=q, nll=np.ones(q.size), score=q)
    return cell


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
    got = measure(METRICS[metric], space, cell_of(label, [0.5] * len(label)))
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
    cell = cell_of([False, False, True, True], [0.1, 0.5, 0.4, 0.8])
    got = measure(METRICS[metric], "entire", cell)
    assert got.value == pytest.approx(value, rel=1e-14, abs=0)
    assert (got.undefined, got.rows, got.positives) == (None, 4, 2.0)


def test_bias_and_loss_need_no_positive() -> None:
    cell = cell_of([False, False], [0.25, 0.75])
    assert measure(METRICS["cvr_bias"], "clicked", cell).value == 0.5
    assert measure(METRICS["cvr_nll"], "clicked", cell).value == 1.0


def test_infinite_sums_are_told_not_returned() -> None:
    cell = Cell()
    cell.add(np.array([False]), prediction=np.array([1.0]), nll=np.array([np.inf]))
    got = measure(METRICS["ctcvr_nll"], "entire", cell)
    assert got.value is None
    assert got.undefined == "infinite: a prediction of exactly 0 or 1 was wrong"
    tiny = cell_of([5e-324], [1.0])
    assert measure(METRICS["cvr_relative_bias"], "entire", tiny).undefined is not None


def test_scores_are_copied() -> None:
    cell, score, label = Cell(), np.array([0.0, 1.0]), np.array([False, True])
    cell.add(label, prediction=score, nll=score, score=score)
    score[:], label[:] = [1.0, 0.0], False
    assert cell.auc() == 1.0


def test_merge_leaves_the_other_alone() -> None:
    left, right = cell_of([True], [0.1]), cell_of([False], [0.9])
    left.merge(right)
    assert (left.rows, left.auc()) == (2, 0.0)
    assert (right.rows, right.auc()) == (1, None)


def test_mixed_precision_keeps_the_finer() -> None:
    fine = float(np.nextafter(1.0, 2.0))
    cell = Cell()
    for score, label in ((np.float32(1.0), False), (np.float64(fine), True)):
        one = np.array([score])
        cell.add(np.array([label]), prediction=np.ones(1), nll=np.ones(1), score=one)
    assert cell.auc() == 1.0
