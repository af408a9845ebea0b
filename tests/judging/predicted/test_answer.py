"""The sentence to act on, on figures made up and on logs whose truth is known."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.predictions import predictions
from postclick import judge
from postclick.judging.predicted.answer import answer_of
from postclick.judging.predicted.result import Difference, Figure, JudgedLog, SegmentFigure
from postclick.stats import detectable_difference, holm


def made(
    aucs: dict[str, float],
    errors: float = 0.01,
    pcoc: tuple[float, float, float] | None = (1.0, 0.9, 1.1),
    *,
    conversions: int = 83,
    level: float = 0.95,
    segments: tuple[SegmentFigure, ...] = (),
) -> JudgedLog:
    """A judgement with CVR-AUCs whose differences have one standard error."""
    from postclick.judging.predicted.compared import two_sided

    figures = [Figure(m, "cvr_auc", "clicked", v, v - 0.02, v + 0.02) for m, v in aucs.items()]
    if pcoc is not None:
        figures += [Figure(m, "cvr_pcoc", "clicked", *pcoc) for m in aucs]
    differences = []
    for against in aucs:
        gains = {m: aucs[m] - aucs[against] for m in aucs if m != against}
        adjusted = holm([two_sided(gain, errors) for gain in gains.values()])
        for (m, gain), p in zip(gains.items(), adjusted, strict=True):
            ends = (gain, gain - 2 * errors, gain + 2 * errors, errors, p, p)
            differences.append(
                Difference("cvr_auc", "clicked", m, against, *ends, detectable_difference(errors))
            )
    return JudgedLog(
        "log", tuple(aucs), 10_000, 1_000, conversions, "row", 1_000, level, None,
        tuple(figures), tuple(differences), segments,
    )  # fmt: skip


def test_one_model_is_told_its_level_and_its_ranking() -> None:
    answer = answer_of(made({"mine": 0.7}))
    assert answer.sentence == (
        "The pCVR of `mine` is right on average within noise (PCOC 1.00, 0.90 to 1.10). "
        "CVR-AUC is 0.700, 0.68 to 0.72."
    )
    assert (answer.ship, answer.supported) == ("mine", False)


@pytest.mark.parametrize(
    ("pcoc", "told"),
    [
        ((1.14, 1.02, 1.25), "is 14 % too high (PCOC 1.14, 1.02 to 1.25): calibrate."),
        ((0.86, 0.8, 0.95), "is 14 % too low (PCOC 0.86, 0.80 to 0.95): calibrate."),
        ((1.003, 1.001, 1.005), "is 0.3 % too high (PCOC 1.00, 1.00 to 1.00): calibrate."),
        ((2.5, 2.0, 3.0), "is 150 % too high"),
        ((1.14, 0.99, 1.3), "is right on average within noise (PCOC 1.14, 0.99 to 1.30)."),
        ((1.14, None, None), "has a PCOC of 1.14, on too few rows or groups for an interval."),
    ],
)
def test_the_level_is_told_and_what_to_do_about_it(pcoc: Any, told: str) -> None:
    assert told in answer_of(made({"mine": 0.7}, pcoc=pcoc)).sentence
    assert f"The pCVR of `a` {told}" in answer_of(made({"a": 0.7, "b": 0.6}, pcoc=pcoc)).sentence


def test_a_better_model_is_shipped() -> None:
    answer = answer_of(made({"naive": 0.6, "x": 0.66, "y": 0.61}))
    assert answer.sentence.startswith(
        "Ship `x`: +0.0600 CVR-AUC (+0.0400 to +0.0800) over `naive`. The pCVR of `x`"
    )
    assert (answer.ship, answer.supported) == ("x", True)
    assert "`x` +0.0600 (+0.0400 to +0.0800), `y` +0.0100 (-0.0100 to +0.0300)" in answer.details[0]
    told = "True differences that such rows show four times in five: 0.028 for `x`, 0.028 for `y`."
    assert told in answer.details[0]


def test_rivals_that_cannot_be_told_from_it_are_named() -> None:
    answer = answer_of(made({"naive": 0.6, "x": 0.66, "y": 0.655, "z": 0.65}))
    assert "over `naive`; `y` and `z` cannot be told from it by rank." in answer.sentence
    assert (answer.ship, answer.supported) == ("x", True)


def test_the_reference_is_kept_where_it_is_best() -> None:
    answer = answer_of(made({"naive": 0.66, "x": 0.6, "y": 0.61}))
    assert answer.sentence.startswith(
        "Keep `naive`: +0.0500 CVR-AUC (+0.0300 to +0.0700) over the nearest, `y`."
    )
    assert (answer.ship, answer.supported) == ("naive", True)


@pytest.mark.parametrize("best", [0.61, 0.595])
def test_within_noise_the_reference_is_kept(best: float) -> None:
    answer = answer_of(made({"naive": 0.6, "x": best, "y": 0.59}))
    assert answer.sentence.startswith(
        "No model is better than `naive` beyond noise on 83 test conversions (difference in "
        "CVR-AUC that could have been seen: 0.028). Keep `naive`."
    )
    assert (answer.ship, answer.supported) == ("naive", False)


def test_the_level_decides_what_is_noise() -> None:
    aucs = {"naive": 0.6, "x": 0.618}  # 1.8 standard errors
    assert answer_of(made(aucs)).ship == "naive"
    assert answer_of(made(aucs, level=0.9)).ship == "x"


def test_where_no_level_can_be_judged_it_says_so() -> None:
    judged = made({"mine": 0.7}, pcoc=None, conversions=0)
    assert "There are 0 conversions and 1,000 clicks: no level can be judged." in (
        answer_of(judged).sentence
    )


def test_the_segments_farthest_off_are_named_worst_first() -> None:
    def segment(value: str, pcoc: float, low: float, high: float, conversions: int = 50) -> Any:
        counts = (1_000, 100, conversions)
        rates = (0.1, 0.1, pcoc, low, high)
        return SegmentFigure("shop", "categorical", value, "mine", "cvr", *counts, *rates)

    found = (
        segment("fine", 1.2, 0.9, 1.5),
        segment("high", 1.5, 1.2, 1.8),
        segment("low", 0.5, 0.4, 0.6),
        segment("few", 3.0, 2.0, 4.0, conversions=3),
    )
    told = next(
        one for one in answer_of(made({"mine": 0.7}, segments=found)).details if "off" in one
    )
    assert told == (
        "Where `mine` is farthest off: shop = low, PCOC 0.50 (0.40 to 0.60, 50 conversions); "
        "shop = high, PCOC 1.50 (1.20 to 1.80, 50 conversions)."
    )


def test_the_true_model_beats_a_noisy_one() -> None:
    log = predictions(6_000, seed=1)
    turned = judge(log, against="b", resamples=60).answer
    assert turned is not None
    assert turned.sentence.startswith("Ship `a`: +")
    assert turned.supported
    kept = judge(log, against="a", resamples=60).answer
    assert kept is not None
    assert kept.sentence.startswith("Keep `a`: +")


def test_a_copy_of_a_model_is_not_shipped() -> None:
    log = predictions(600, seed=2).with_columns(pctr_b="pctr_a", pcvr_b="pcvr_a")
    answer = judge(log, resamples=60).answer
    assert answer is not None
    assert answer.sentence.startswith("All models predict alike (CVR-AUC ")
    assert answer.ship == "a"


def test_a_level_that_is_off_is_found_on_data() -> None:
    log = predictions(6_000, seed=3)
    high = log.with_columns(pcvr_a=(pl.col("pcvr_a") * 1.3).clip(0, 1)).drop("pctr_b", "pcvr_b")
    answer = judge(high, resamples=60).answer
    assert answer is not None
    assert "% too high" in answer.sentence
    assert answer.sentence.count("calibrate") == 1


def test_without_conversions_clicks_are_judged() -> None:
    log = predictions(4_000, seed=4).with_columns(conversion=pl.lit(0))
    answer = judge(log, against="b", resamples=60).answer
    assert answer is not None
    assert answer.sentence.startswith("Ship `a`: +")
    assert "CTR-AUC" in answer.sentence
    assert "The pCTR of `a` is" in answer.sentence


def test_false_alarms_are_as_rare_as_said() -> None:
    """Of 80 logs with two models that are equally good, few declare a winner."""
    declared = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        z = rng.normal(size=400)
        click = np.ones(400, int)
        log = pl.DataFrame(
            {
                "click": click,
                "conversion": (rng.random(400) < 1 / (1 + np.exp(-z))).astype(int),
                "pcvr_a": 1 / (1 + np.exp(-z - rng.normal(size=400))),
                "pcvr_b": 1 / (1 + np.exp(-z - rng.normal(size=400))),
            }
        )
        answer = judge(log, resamples=40).answer
        assert answer is not None
        declared += not answer.sentence.startswith("No model")
    assert declared <= 11  # of a binomial with 5 %, 4 are expected and 11 are beyond 99.9 %


def test_of_models_alike_by_rank_the_one_with_better_probabilities_is_shipped() -> None:
    log = predictions(6_000, seed=5).rename({"pcvr_b": "pcvr_base", "pctr_b": "pctr_base"})
    steep = (pl.col("pcvr_a").log() - (1 - pl.col("pcvr_a")).log()) * 2.5
    log = log.with_columns(
        pcvr_steep=1 / (1 + (-steep - 1e-9 * pl.int_range(pl.len())).exp()), pctr_steep="pctr_a"
    )
    answer = judge(log, against="base", resamples=200).answer
    assert answer is not None
    assert (answer.ship, answer.supported) == ("a", True)
    assert "`steep` cannot be told from it by rank" in answer.sentence
    alone = judge(log.drop("pcvr_a", "pctr_a"), against="base", resamples=200)
    assert alone.answer is not None
    if alone.answer.ship == "steep" and alone.differences:
        nll = next(d for d in alone.differences if (d.metric, d.model) == ("cvr_nll", "steep"))
        assert ("its probabilities are worse" in alone.answer.sentence) == (
            nll.gain < 0 and nll.holm < 0.05
        )


@pytest.mark.parametrize("conversions", [1, 3, 9])
def test_few_conversions_tell_nothing(conversions: int) -> None:
    rng = np.random.default_rng(0)
    log = pl.DataFrame(
        {
            "click": np.ones(200, int),
            "conversion": (np.arange(200) < conversions).astype(int),
            "pcvr_a": rng.random(200),
            "pcvr_b": np.where(np.arange(200) < conversions, 0.9, 0.1),
        }
    )
    judged = judge(log, resamples=60)
    assert judged.answer is not None
    assert judged.differences == ()
    assert judged.answer.sentence.startswith(
        f"On {conversions} test conversion{'s' * (conversions > 1)} models cannot be told apart. "
        "Keep `a`."
    )


def test_one_group_has_no_intervals() -> None:
    judged = judge(predictions(500).with_columns(site=pl.lit("x")), group="site", resamples=60)
    assert judged.differences == ()
    assert all(one.low is None for one in judged.figures)
    assert any("1 group: none are given below 60" in one for one in judged.findings)
