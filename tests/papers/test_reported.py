"""The reported numbers: what the package carries, and what the loader refuses."""

import pytest

from postclick.papers import EXPERIMENTS
from postclick.papers.reported import (
    HEADER,
    read_reported,
    reported_numbers,
    reported_table,
)

FIRST = ",".join(HEADER)
GOOD = "EVI,Table 2,Ali-CCP,EVI,CVR-AUC,0.68"


def test_every_table_of_an_experiment_is_complete() -> None:
    for experiment in EXPERIMENTS.values():
        table = reported_table(experiment.paper.name, experiment.where)
        metrics = [column.reported for column in experiment.columns if column.reported]
        assert bool(table) == bool(metrics) == (experiment.panels is None)
        for numbers in table.values():
            for entry in experiment.entries:
                assert all((entry.title, metric) in numbers for metric in metrics)
            extra = experiment.improvement
            if extra is not None:
                title = experiment.titles[extra.arm]
                assert all((title, extra.reported.format(metric)) in numbers for metric in metrics)


def test_no_number_is_carried_that_nothing_shows() -> None:
    shown = {(e.paper.name, e.where) for e in EXPERIMENTS.values() if e.panels is None}
    assert {(number.paper, number.table) for number in reported_numbers()} == shown
    assert len(reported_numbers()) == 44 + 18 + 108


def test_numbers_are_those_of_the_papers() -> None:
    chorus = reported_table("ChorusCVR", "Table 1")
    assert list(chorus) == ["Ali-CCP", "Kuaishou"]
    assert chorus["Kuaishou"]["ChorusCVR", "CTCVR-AUC"] == 0.9304
    assert chorus["Ali-CCP"]["ChorusCVR w/o SAM", "CVR-AUC"] == 0.6407
    evi = reported_table("EVI", "Table 2")
    assert list(evi) == ["Ali-CCP", "AE-FR", "AE-ES", "AE-US", "AE-NL", "Industrial"]
    assert evi["AE-NL"]["DDPO", "CVR-NLL"] == 0.1449
    assert reported_table("EVI", "Figure 2") == {}


def test_the_reported_improvement_follows_from_the_reported_numbers() -> None:
    for dataset, numbers in reported_table("ChorusCVR", "Table 1").items():
        for metric in ("CVR-AUC", "CTCVR-AUC"):
            baselines = [
                value
                for (method, of), value in numbers.items()
                if of == metric and not method.startswith("ChorusCVR")
            ]
            gain = 100 * (numbers["ChorusCVR", metric] / max(baselines) - 1)
            stated = numbers["ChorusCVR", f"{metric} rel. improvement over best baseline (%)"]
            assert gain == pytest.approx(stated, abs=0.011), (dataset, metric)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["paper,table", GOOD], "line 1: header"),
        ([FIRST, "EVI,Table 2,Ali-CCP,EVI,CVR-AUC"], "line 2: expected 6 filled cells"),
        ([FIRST, "EVI,,Ali-CCP,EVI,CVR-AUC,0.68"], "line 2: expected 6 filled cells"),
        ([FIRST, GOOD, GOOD.replace("0.68", "high")], "line 3: 'high' is not a number"),
        ([FIRST, GOOD.replace("0.68", "68")], "CVR-AUC cannot be 68"),
        ([FIRST, GOOD.replace("0.68", "nan")], "CVR-AUC cannot be nan"),
        ([FIRST, "EVI,Table 2,Ali-CCP,EVI,CVR-NLL,-0.1"], "CVR-NLL cannot be -0.1"),
        ([FIRST, GOOD, GOOD], "line 3: EVI, Table 2, Ali-CCP, EVI, CVR-AUC stands twice"),
        ([], "line 1: header"),
    ],
)
def test_damage_is_refused(lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        read_reported(lines)
