"""Claims on made-up results: what holds, what does not, what is within noise."""

import numpy as np
import pytest

from postclick.papers.claims import (
    Claim,
    above,
    best,
    better,
    chain,
    groups,
    judge,
    rank_correlation,
    rising,
)
from postclick.papers.results import HIGHER, LOWER, Results, Scale

SEEDS = np.array([0.001, -0.002, 0.0, 0.002, -0.001])
SHAKE = np.array([0.0005, 0.0, -0.0005, 0.0002, -0.0002])
LARGE = np.array([0.05, -0.06, 0.04, -0.05, 0.03])


def results(**means: float) -> Results:
    """Arms that share their seeds' ups and downs, each with a little of its own."""
    values = {
        arm: tuple(mean + SEEDS + np.roll(SHAKE, k)) for k, (arm, mean) in enumerate(means.items())
    }
    return Results({"auc": values})


@pytest.mark.parametrize(
    ("claim", "verdict", "on_average"),
    [
        (best("", "auc", "a", ["b", "c"]), "holds", True),
        (best("", "auc", "b", ["a", "c"]), "does not hold", False),
        (chain("", "auc", "a", "b", "c"), "holds", True),
        (chain("", "auc", "c", "b", "a"), "does not hold", False),
        (groups("", "auc", ["a", "b"], ["c"]), "holds", True),
        (groups("", "auc", ["a", "c"], ["b"]), "does not hold", False),
        (above("", "auc", "c", 0.55), "holds", True),
        (above("", "auc", "c", 0.65), "does not hold", False),
        (rising("", "auc", {"c": 0.0, "b": 0.4, "a": 1.0}), "holds", True),
        (rising("", "auc", {"a": 0.0, "b": 0.4, "c": 1.0}), "does not hold", False),
    ],
)
def test_clear_differences_are_decided(claim: Claim, verdict: str, on_average: bool) -> None:
    found = judge(claim, results(a=0.7, b=0.65, c=0.6), HIGHER)
    assert (found.verdict, found.on_average) == (verdict, on_average)
    assert found.reason is None
    assert len(found.tests) == len(claim.contrasts)


def test_what_noise_can_explain_neither_holds_nor_fails() -> None:
    noisy = {"a": tuple(0.701 + LARGE), "b": tuple(0.7 + np.roll(LARGE, 1))}
    for claim, on_average in ((best("", "auc", "a", ["b"]), True), (chain("", "auc", "b", "a"), 0)):
        found = judge(claim, Results({"auc": noisy}), HIGHER)
        assert found.verdict == "within noise"
        assert found.on_average == on_average, "the order of the means is told all the same"


def test_one_comparison_within_noise_keeps_a_claim_from_holding() -> None:
    values = results(a=0.7, b=0.65, c=0.6).values["auc"]
    values = {**values, "d": tuple(0.7 + np.roll(LARGE, 2))}
    assert judge(
        best("", "auc", "a", ["b", "c", "d"]), Results({"auc": values}), HIGHER
    ).verdict == ("within noise")


def test_one_reversed_comparison_is_enough_to_fail() -> None:
    found = judge(best("", "auc", "b", ["a", "c"]), results(a=0.7, b=0.65, c=0.6), HIGHER)
    signs = [test.difference > 0 for test in found.tests]
    assert signs == [False, True]
    assert found.verdict == "does not hold"


def test_p_values_are_holm_corrected_within_a_claim() -> None:
    values = results(a=0.7, b=0.6995, c=0.699)
    alone = judge(best("", "auc", "a", ["b"]), values, HIGHER).tests[0].p
    among = judge(best("", "auc", "a", ["b", "c"]), values, HIGHER)
    assert among.tests[0].p == pytest.approx(alone), "the larger p of two is not multiplied"
    smaller = judge(best("", "auc", "a", ["c"]), values, HIGHER).tests[0].p
    assert smaller < alone
    assert among.tests[1].p == pytest.approx(
        min(2 * smaller, alone) if 2 * smaller < alone else alone
    )


@pytest.mark.parametrize(
    ("scale", "means"), [(LOWER, {"a": 0.1, "b": 0.2}), (Scale(target=1.0), {"a": 0.9, "b": 1.3})]
)
def test_better_follows_the_scale(scale: Scale, means: dict[str, float]) -> None:
    claim = Claim("", "auc", (better("a", "b"),))
    assert judge(claim, results(**means), scale).verdict == "holds"
    assert judge(claim, results(**means), HIGHER).verdict == "does not hold"


def test_bias_is_compared_by_size_not_by_sign() -> None:
    claim = best("", "auc", "a", ["b"])
    assert judge(claim, results(a=0.05, b=-0.2), Scale(target=0.0)).verdict == "holds"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Results({"auc": {"a": (0.7,), "b": (0.6,)}}), "2 pairs or more"),
        (Results({"auc": {"a": (0.7, 0.8), "b": (0.6, 0.7)}}), "the same in all 2 pairs"),
        (Results({"auc": {"a": (0.7, 0.8)}}, {"auc": {"b": "no clicked rows"}}), "no clicked rows"),
    ],
)
def test_what_cannot_be_tested_says_why(given: Results, reason: str) -> None:
    found = judge(best("", "auc", "a", ["b"]), given, HIGHER)
    assert found.verdict == "not tested"
    assert reason in (found.reason or "")


def test_the_papers_own_numbers_are_held_against_its_claims() -> None:
    reported = {
        "agrees": {"a": 0.7, "b": 0.6},
        "differs": {"a": 0.6, "b": 0.7},
        "equal": {"a": 0.6, "b": 0.6},
        "lacks b": {"a": 0.6},
    }
    found = judge(best("", "auc", "a", ["b"]), results(a=0.7, b=0.6), HIGHER, reported)
    assert found.reported == {"agrees": True, "differs": False, "equal": False}


def test_tau_compares_with_the_claimed_order() -> None:
    values = results(a=0.7, b=0.65, c=0.66)
    assert judge(chain("", "auc", "a", "b", "c"), values, HIGHER).tau == pytest.approx(1 / 3)
    assert judge(chain("", "auc", "c", "a"), values, HIGHER).tau is None, "two have no rank order"
    assert judge(chain("", "auc", "b", "c", "a"), values, LOWER).tau == pytest.approx(1.0)
    assert judge(rising("", "auc", {"a": 3, "b": 1, "c": 2}), values, HIGHER).tau == 1.0
    assert rank_correlation([0.5, 0.5]) is None
