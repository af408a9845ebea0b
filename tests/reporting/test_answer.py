"""What stands below the answer, in every case that it has to put into words."""

import re

import polars as pl
import pytest

from helpers.parts import part_of
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.recommendation import Recommendation
from postclick.experiments.comparison.summary import Gain, Summary
from postclick.reporting.answer import answer, both_tests, calibration, other_protocol
from postclick.reporting.folder import Part
from postclick.reporting.ranking import rank
from postclick.stats.paired import supported_best

AUC, TRUE_NLL = ("cvr_auc", "clicked"), ("true_cvr_nll", "entire")
CLEAR = {"esmm": [0.60, 0.62, 0.61, 0.63], "evi": [0.70, 0.73, 0.71, 0.72]}
NOISE = {"esmm": [0.60, 0.70, 0.61, 0.68], "evi": [0.70, 0.62, 0.69, 0.62]}
INTERVAL = {"esmm": (-0.10, -0.13, -0.07)}


def test_a_supported_lead(small_log: PreparedLog) -> None:
    part = part_of({AUC: {"evi": CLEAR["evi"], "esmm": CLEAR["esmm"]}}, small_log, INTERVAL)
    who, by, sure = answer(part, "test", None)
    assert who == (
        "The best mean CVR-AUC on clicked test impressions is that of evi, 0.7150 ± 0.0129 "
        "(mean ± standard deviation over 4 seeds)."
    )
    assert by == (
        "The lead of evi in CVR-AUC over the runner-up esmm is 0.1000 "
        "(95 % interval over test impressions: 0.0700 to 0.1300)."
    )
    assert sure == (
        "The lead in CVR-AUC is supported by both tests: paired t-tests over 4 seeds "
        "(Holm-corrected, 5 % level) tell evi from every other method, and the 95 % intervals of "
        "the lead over test impressions lie above 0."
    )


def test_a_lead_that_seeds_do_not_support(small_log: PreparedLog) -> None:
    who, _, sure = answer(part_of({AUC: NOISE}, small_log), "test", None)
    assert who.startswith("The best mean CVR-AUC on clicked test impressions is that of evi, 0.6")
    assert sure == (
        "The lead in CVR-AUC is not supported: paired t-tests over 4 seeds (Holm-corrected, 5 % "
        "level) do not tell evi from esmm."
    )


def test_a_lead_over_seeds_that_other_rows_could_turn(small_log: PreparedLog) -> None:
    wide = {"esmm": (-0.10, -0.25, 0.05)}
    figures = {AUC: {"evi": CLEAR["evi"], "esmm": CLEAR["esmm"]}}
    part = part_of(figures, small_log, wide, gain=Gain(0.10, -0.05, 0.25))
    _, by, sure = answer(part, "test", None)
    assert "-0.0500 to 0.2500" in by
    assert sure.startswith("The lead in CVR-AUC is supported over seeds alone: paired t-tests")
    assert sure.endswith(
        "tell evi from every other method, but with other test impressions it could turn, for the "
        "interval of the lead over esmm includes 0."
    )


def test_references_are_told_beside_the_runner_up(small_log: PreparedLog) -> None:
    values = {"evi": [0.72, 0.73], "dcmt": [0.71, 0.70], "esmm": [0.68, 0.69], "naive": [0.6, 0.61]}
    _, by, _ = answer(part_of({AUC: values}, small_log), "test", None)
    assert by == (
        "The lead of evi in CVR-AUC over the runner-up dcmt is 0.0200, over esmm 0.0400, "
        "over naive 0.1200."
    )


def test_many_that_are_not_told_apart_are_counted(small_log: PreparedLog) -> None:
    names = ["evi", "dcmt", "esmm", "naive", "nise", "ddpo", "ukd"]
    values = {name: [0.7 + 0.01 * ((k + s) % 3) for s in range(3)] for k, name in enumerate(names)}
    sure = answer(part_of({AUC: values}, small_log), "test", None)[2]
    assert re.search(r"do not tell \w+ from \w+, \w+, \w+, \w+ and 2 others\.$", sure)


def test_one_seed_is_no_test(small_log: PreparedLog) -> None:
    one = {name: values[:1] for name, values in CLEAR.items()}
    who, by, sure = answer(part_of({AUC: one}, small_log), "test", None)
    assert who.endswith("is that of evi, 0.7000 (one seed).")
    assert by == "The lead of evi in CVR-AUC over the runner-up esmm is 0.1000."
    assert sure.startswith("How sure this is cannot be said: with one seed")
    assert "supported" not in sure


def test_seeds_that_change_nothing_are_no_test(small_log: PreparedLog) -> None:
    same = {"esmm": [0.6, 0.6, 0.6], "evi": [0.7, 0.7, 0.7]}
    who, _, sure = answer(part_of({AUC: same}, small_log), "test", None)
    assert "0.7000 ± 0.0000" in who
    assert sure == (
        "The lead in CVR-AUC cannot be tested: the difference is the same in all 3 pairs: no noise "
        "to test it against."
    )


def test_one_method_has_nothing_to_lead(small_log: PreparedLog) -> None:
    part = part_of({AUC: {"esmm": [0.6, 0.62]}, TRUE_NLL: {"esmm": [0.3, 0.31]}}, small_log)
    who, by, sure = answer(part, "valid", "true_cvr")
    assert who.startswith("Only esmm was trained: its CVR-AUC on clicked valid impressions is 0.61")
    assert who.endswith(
        "and its NLL against the known true CVR of all valid impressions is 0.3050 ± 0.0071."
    )
    assert by == "There is no other method to compare with."
    assert sure == "Without a lead there is nothing to test."


@pytest.mark.parametrize(
    ("nll", "told"),
    [
        (
            {"esmm": [0.3, 0.31, 0.32, 0.3], "evi": [0.2, 0.21, 0.2, 0.2]},
            "it also has the best",
        ),
        ({"esmm": [0.2, 0.21, 0.2, 0.2], "evi": [0.3, 0.31, 0.32, 0.3]}, "but the best"),
    ],
)
def test_truth_is_told_beside_recorded_labels(
    small_log: PreparedLog, nll: dict[str, list[float | str]], told: str
) -> None:
    part = part_of({AUC: NOISE, TRUE_NLL: nll}, small_log)
    who, by, sure = answer(part, "test", "true_cvr")
    assert f"; {told} mean NLL against the known true CVR of all test impressions" in who
    assert "; the lead of" in by and "in NLL over the runner-up" in by
    assert (
        "lead in CVR-AUC is not supported" in sure
        and "lead in NLL is supported by both tests" in sure
    )
    drawn = answer(part, "test", "potential_conversion")[0]
    assert "NLL against the known potential conversions of all test impressions" in drawn


def test_without_truth_it_is_not_mentioned(small_log: PreparedLog) -> None:
    part = part_of({AUC: CLEAR, TRUE_NLL: CLEAR}, small_log)
    assert not any("NLL" in sentence for sentence in answer(part, "test", None))


def test_an_undefined_metric_is_said_to_be_so(small_log: PreparedLog) -> None:
    gone = {AUC: {"esmm": ["no conversions"] * 2, "evi": ["no conversions"] * 2}}
    who, by, sure = answer(part_of(gone, small_log), "test", None)
    assert who == (
        "CVR-AUC on clicked test impressions is undefined (no conversions), so no method leads "
        "on recorded labels."
    )
    assert by == "No lead can be measured."
    assert sure == "Without a lead there is nothing to test."


def test_a_method_without_a_value_is_left_out_and_named(small_log: PreparedLog) -> None:
    some = {AUC: {**CLEAR, "ukd": ["logits are not finite"] * 4}}
    who, _, sure = answer(part_of(some, small_log), "test", None)
    assert "(undefined for ukd) is that of evi, 0.7150" in who
    assert "tell evi from every other method that has a value" in sure


def test_the_support_is_that_of_the_table(small_log: PreparedLog) -> None:
    for values in (CLEAR, NOISE, {**CLEAR, "dcmt": [0.71, 0.72, 0.705, 0.725]}):
        for gain in (Gain(0.1, 0.01, 0.2), Gain(0.1, -0.01, 0.2)):
            part = part_of({AUC: values}, small_log, gain=gain)
            ranking, row = rank(part.summary, part.results, *AUC), part.summary.row(*AUC)
            assert ranking is not None and row is not None
            assert row.best_over_seeds == supported_best(values, "cvr_auc")
            assert (ranking.best if ranking.supported else None) == row.best


@pytest.mark.parametrize(
    ("better", "told"),
    [
        ((), "No other method is better in CVR-AUC than naive in both tests, over seeds and over"),
        (("evi",), "evi is better in CVR-AUC than naive in both tests, over seeds and over test"),
        (
            ("evi", "esmm"),
            "evi and esmm are better in CVR-AUC than naive in both tests, over seeds",
        ),
    ],
)
def test_what_the_answer_rests_on(better: tuple[str, ...], told: str) -> None:
    ship = better[0] if better else "naive"
    made = {"sentence": "", "gain": None, "conversions": 83, "detectable": 0.03, "pcoc": None}
    found = Recommendation(ship=ship, simplest="naive", better=better, calibrate=None, **made)
    sentence = both_tests(found)
    assert sentence.startswith(told)
    assert sentence.endswith("evi has the best mean.") == (len(better) > 1)


def test_calibration_is_told_with_its_mend() -> None:
    made = {"ship": "esmm", "simplest": "esmm", "better": (), "gain": None, "sentence": ""}
    made |= {"conversions": 83, "detectable": 0.03}
    low, right = (
        {"value": 0.862, "low": 0.8, "high": 0.93},
        {"value": 1.04, "low": 0.9, "high": 1.2},
    )
    assert calibration(Recommendation(**made, pcoc=low, calibrate="postclick calibrate a b")) == (
        "PCOC of esmm on clicked impressions is 0.86 (0.80 to 0.93): pCVR is 14 % too low. "
        "Calibrate it: postclick calibrate a b"
    )
    assert calibration(Recommendation(**made, pcoc=right, calibrate=None)) == (
        "PCOC of esmm on clicked impressions is 1.04 (0.90 to 1.20): nothing to correct that these "
        "rows could show."
    )
    # No command: pCVR is not meant to be that of clicks.
    assert calibration(Recommendation(**made, pcoc=low, calibrate=None)) == (
        "PCOC of esmm on clicked impressions is 0.86 (0.80 to 0.93): it is meant to be that of "
        "all, had they been clicked, so do not calibrate it on clicks."
    )
    assert "these rows cannot tell" in calibration(
        Recommendation(**made, pcoc=None, calibrate=None)
    )


def test_the_other_table_agrees_or_does_not(small_log: PreparedLog) -> None:
    tuned = part_of({AUC: CLEAR}, small_log, name="tuned")
    turned = {"esmm": CLEAR["evi"], "evi": CLEAR["esmm"]}
    assert "evi also leads by CVR-AUC, with 0.7150 ± 0.0129; both tests support that lead." in (
        other_protocol(tuned, part_of({AUC: CLEAR}, small_log))
    )
    assert "esmm leads instead" in other_protocol(tuned, part_of({AUC: turned}, small_log))
    assert "the tests do not both support" in other_protocol(
        tuned, part_of({AUC: NOISE}, small_log)
    )
    alone = part_of({AUC: {"esmm": [0.6, 0.7]}}, small_log)
    assert other_protocol(tuned, alone) == ""


def test_a_rival_without_a_test_does_not_ease_that_of_another(small_log: PreparedLog) -> None:
    same = [value - 0.1 for value in CLEAR["evi"]]
    values = {"evi": CLEAR["evi"], "esmm": same, "dcmt": [0.69, 0.70, 0.70, 0.70]}
    ranking = rank(*_tables(part_of({AUC: values}, small_log)), *AUC)
    alone = rank(*_tables(part_of({AUC: {n: values[n] for n in ("evi", "dcmt")}}, small_log)), *AUC)
    assert ranking is not None and alone is not None
    dcmt, esmm = ranking.rivals
    assert (dcmt.method, esmm.p, esmm.separated) == ("dcmt", None, False)
    assert "the same in all 4 pairs" in (esmm.untested or "")
    assert dcmt.p == pytest.approx(2 * (alone.rivals[0].p or 0))
    assert not ranking.supported


def _tables(part: Part) -> tuple[Summary, pl.DataFrame]:
    return part.summary, part.results
