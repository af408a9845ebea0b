"""Costs with their intervals, and that sentences say what these allow."""

import numpy as np
import pytest
from scipy import stats

from postclick.experiments.ceiling.cost import Cost
from postclick.experiments.ceiling.result import Ceiling
from postclick.experiments.ceiling.sentences import labels_sentence, selection_sentence
from postclick.experiments.ceiling.terminal_table import footnotes, table
from postclick.experiments.ceiling.train_arm import ArmFigures

SURE, ONE = Cost(3, 0.002, 0.0001, 0.0015, 0.0025), Cost(1, 0.002)
LOWER, UNSURE = Cost(3, -0.002, 0.0001, -0.0025, -0.0015), Cost(3, 0.002, 0.001, -0.002, 0.006)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_the_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    found, error = Cost.of(values.tolist()), stats.sem(values)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=error)
    assert found.draws == n
    assert [found.mean, found.standard_error, found.low, found.high] == pytest.approx(
        [values.mean(), error, low, high]
    )


def test_the_sign_is_that_of_the_interval() -> None:
    assert [cost.sign for cost in (SURE, LOWER, UNSURE, ONE)] == [1, -1, 0, 0]
    assert Cost.of([0.5]) == Cost(1, 0.5)


@pytest.mark.parametrize(
    ("selection", "level", "said"),
    [
        (SURE, SURE, "Selection costs .0020 ± .0001 AUC at equal conversions, and moves"),
        (SURE, UNSURE, "pCVR (0 %) is not shown."),
        (LOWER, SURE, "Selection gains .0020 ± .0001 AUC"),
        (UNSURE, SURE, "that 3 draws show (.0020, 95 % interval -.0020 to .0060), and moves the"),
        (UNSURE, UNSURE, "nor do they show that it moves the level"),
        (ONE, ONE, "no interval from one draw"),
    ],
)
def test_what_is_said_of_selection(selection: Cost, level: Cost, said: str) -> None:
    assert said in selection_sentence(selection, level)


@pytest.mark.parametrize(
    ("labels", "beyond", "said"),
    [
        (SURE, SURE, ": 5.0 times as many conversions would buy more of it than any loss"),
        (SURE, LOWER, "less than selection: a loss that undoes selection would buy more."),
        (SURE, UNSURE, "; whether that is more than selection costs, the draws do not say."),
        (UNSURE, SURE, "Labels cost no AUC that 3 draws show"),
        (LOWER, LOWER, "Labels cost nothing: learnt from all impressions, the model ranks .0020"),
        (ONE, ONE, "Labels cost .0020 AUC (no interval from one draw"),
    ],
)
def test_what_is_said_of_labels(labels: Cost, beyond: Cost, said: str) -> None:
    text = labels_sentence(labels, beyond, 5.0)
    assert said in text
    assert ("would buy more of it" in text) == (labels.sign > 0 and beyond.sign > 0)


def test_costs_are_differences_paired_by_draw() -> None:
    aucs = {
        "clicked": (0.70, 0.72),
        "random_rows": (0.69, 0.70),
        "random_conversions": (0.71, 0.725),
        "all": (0.75, 0.76),
    }
    biases = {"clicked": (0.3, 0.4), "random_conversions": (0.0, 0.02)}
    figures = [
        ArmFigures(arm, seed, 100, 10, aucs[arm][seed], biases.get(arm, (0.0, 0.0))[seed])
        for seed in (1, 0)
        for arm in aucs
    ]
    found = Ceiling("confounded", {}, "naive", (0, 1), tuple(figures))
    assert found.selection == Cost.of([0.71 - 0.70, 0.725 - 0.72])
    assert found.level == Cost.of([0.3 - 0.0, 0.4 - 0.02])
    assert found.labels == Cost.of([0.75 - 0.71, 0.76 - 0.725])
    assert found.labels_beyond_selection.mean == pytest.approx((0.03 + 0.03) / 2)
    assert found.times == 1.0
    assert found.mean("random_rows", "auc").mean == pytest.approx(0.695)
    assert table(found).row_count == 4
    assert footnotes(found)[0].startswith("mean of 2 draws")
