"""The paper's layout and the page, on made-up results: no run is needed."""

import json
from pathlib import Path

import numpy as np
import pytest

from postclick.papers import EXPERIMENTS, Reproduction
from postclick.papers.document import to_json
from postclick.papers.experiment import Experiment
from postclick.papers.markdown import explain, panel_table, to_markdown
from postclick.papers.panels import Panel, Series
from postclick.papers.paper_table import agreements, improvement, paper_table
from postclick.papers.protocol import used_settings
from postclick.papers.reported import reported_table
from postclick.papers.reproduction import LogFacts, findings
from postclick.papers.results import Results

COUNTS = {"rows": 1000, "clicks": 100, "conversions": 10}


def as_reported(experiment: Experiment, dataset: str, sign: int = 1) -> Results:
    """What would be measured if the paper's numbers (or their opposites) came out again."""
    numbers = reported_table(experiment.paper.name, experiment.where)[dataset]
    noise = np.random.default_rng(0).normal(scale=2e-5, size=(len(experiment.entries), 5))
    noise -= noise.mean(axis=1, keepdims=True)
    return Results(
        {
            column.key: {
                entry.arm.label: tuple(
                    (1 - sign) / 2 + sign * numbers[entry.title, column.reported or ""] + own
                )
                for entry, own in zip(experiment.entries, noise, strict=True)
            }
            for column in experiment.columns
        }
    )


def reproduction(experiment: Experiment, results: Results) -> Reproduction:
    return Reproduction(
        experiment,
        Path("out"),
        LogFacts("mylog", COUNTS, COUNTS, "f"),
        5,
        ("epochs=3",),
        used_settings(experiment, ["epochs=3"]),
        results,
        findings(experiment, results),
        (),
        (),
    )


def test_the_layout_of_choruscvrs_table() -> None:
    experiment = EXPERIMENTS["choruscvr-table1"]
    table = paper_table(experiment, as_reported(experiment, "Ali-CCP"), "mylog")
    assert table.header[:3] == (
        "Models",
        "CVR-AUC, **measured on mylog**",
        "CTCVR-AUC, **measured on mylog**",
    )
    assert table.header[3:] == tuple(
        f"{metric}, reported on {dataset}"
        for dataset in ("Ali-CCP", "Kuaishou")
        for metric in ("CVR-AUC", "CTCVR-AUC")
    )
    titles = [row[0] for row in table.rows]
    assert titles[:3] == ["ESMM", "ESCM2-DR", "ESCM2-IPW"]
    assert titles[-4:] == ["ChorusCVR", "Rela.Impr.", "ChorusCVR w/o NDM", "ChorusCVR w/o SAM"]
    by_title = {row[0]: row for row in table.rows}
    assert by_title["DDPO"][3:] == ("0.6496", "0.6326", "0.8623", "0.9289")
    assert by_title["Rela.Impr."][1:] == (
        "+1.43%",
        "+0.41%",
        "+1.43%",
        "+0.40%",
        "+0.13%",
        "+0.16%",
    )
    assert by_title["ChorusCVR"][1].startswith("**0.6589 ± 0.000")
    assert sum("**" in row[1] for row in table.rows) == 1, "one best in a column"
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_evis_table_has_the_papers_marks_and_an_undefined_cell() -> None:
    experiment = EXPERIMENTS["evi-table1"]
    values = {**as_reported(experiment, "AE-FR").values["cvr_auc"]}
    del values["evi"]
    results = Results({"cvr_auc": values}, {"cvr_auc": {"evi": "no clicked rows"}})
    table = paper_table(experiment, results, "mylog")
    assert table.header[:3] == ("Methods", "VIE", "CECT")
    assert [row[1:3] for row in table.rows] == [("×", "×"), ("×", "✓"), ("✓", "✓")]  # noqa: RUF001
    assert table.rows[2][3] == "undefined"
    page = to_markdown(reproduction(experiment, results))
    assert "Not measured: AUC of EVI: no clicked rows." in page
    assert "| **not tested** | not tested: no clicked rows |" in page


def test_a_column_that_nobody_has_is_left_out_and_said() -> None:
    experiment = EXPERIMENTS["evi-fig2"]
    arms = [entry.arm.label for entry in experiment.entries]
    values = {"mean_bias": dict.fromkeys(arms, (0.1, 0.2))}
    why = {key: dict.fromkeys(arms, "no truth") for key in ("teacher_true", "true_bias")}
    table = paper_table(experiment, Results(values, why), "mylog")
    assert table.header == ("Method", "mean bias, clicked rows, **measured on mylog**")
    page = to_markdown(reproduction(experiment, Results(values, why)))
    assert "Not measured: true mean bias, all impressions of any: no truth." in page
    assert "The paper gives no numbers here." in page
    assert "rewards small labels" in page, "the degenerate column is named as such"


@pytest.mark.parametrize("name", ["choruscvr-table1", "evi-table1", "evi-table2"])
def test_the_papers_own_numbers_agree_with_themselves(name: str) -> None:
    experiment = EXPERIMENTS[name]
    for dataset in reported_table(experiment.paper.name, experiment.where):
        results = as_reported(experiment, dataset)
        own = [rank for rank in agreements(experiment, results) if rank.dataset == dataset]
        assert all(rank.tau is not None and rank.tau > 0.94 for rank in own)
        for finding in findings(experiment, results):
            assert finding.on_average == finding.reported[dataset]


def test_reversed_numbers_make_every_claim_fail() -> None:
    experiment = EXPERIMENTS["choruscvr-table1"]
    results = as_reported(experiment, "Ali-CCP", sign=-1)
    found = findings(experiment, results)
    assert {finding.verdict for finding in found} == {"does not hold"}
    taus = [rank.tau for rank in agreements(experiment, results) if rank.dataset == "Ali-CCP"]
    assert taus == [pytest.approx(-1.0)] * 2
    page = to_markdown(reproduction(experiment, results))
    assert page.count("| **does not hold** | means not as claimed; 0 of ") == 4
    assert "the other way round beyond noise" in page
    gain = improvement(experiment, results, "cvr_auc")
    assert gain is not None and gain < 0


def test_evis_claim_on_groups_is_contradicted_by_its_own_table() -> None:
    experiment = EXPERIMENTS["evi-table2"]
    found = reproduction(experiment, as_reported(experiment, "Ali-CCP"))
    groups = found.finding("Every improved entire-space method")
    assert not groups.reported["Ali-CCP"], "ESCM2-IPW .6622 < ESMM .6703"
    assert groups.verdict == "does not hold"
    assert all(found.finding("EVI has the highest").reported.values())
    text = explain(groups, experiment.titles)
    assert "decisive: ESCM2-DR over ESMM -0.021" in text


def test_the_page_says_who_states_each_setting() -> None:
    experiment = EXPERIMENTS["evi-table1"]
    sources = {used.key: (used.value, used.source) for used in used_settings(experiment, [])}
    assert sources["network.backbone"] == ("mmoe", "paper")
    assert sources["training.batch_size"] == (8000, "authors' code")
    assert sources["training.betas"] == ([0.9, 0.999], "library default")
    changed = {used.key: used.source for used in used_settings(experiment, ["batch_size=64"])}
    assert changed["training.batch_size"] == "given with --set"
    page = to_markdown(reproduction(experiment, as_reported(experiment, "AE-FR")))
    assert "| `training.epochs` | `3` | given with --set |" in page
    assert "Given on top: `epochs=3`." in page


@pytest.mark.parametrize("name", ["choruscvr-table1", "evi-table2"])
def test_json_has_every_seed_and_is_json(name: str) -> None:
    experiment = EXPERIMENTS[name]
    results = as_reported(experiment, "Ali-CCP")
    data = json.loads(json.dumps(to_json(reproduction(experiment, results)), allow_nan=False))
    first = data["rows"][0]
    assert first["title"] == "ESMM"
    assert len(first["measured"]["cvr_auc"]["by_seed"]) == 5
    assert list(first["reported"]) == list(reported_table(experiment.paper.name, experiment.where))
    assert {claim["verdict"] for claim in data["claims"]} <= {
        "holds",
        "does not hold",
        "within noise",
        "not tested",
    }


def test_a_panels_table_leaves_gaps_where_a_series_has_none() -> None:
    panel = Panel(
        "t",
        "x",
        "y",
        "line",
        (
            Series.over_seeds("a", (1, 2), [[0.1, 0.2], [0.3]]),
            Series.over_seeds("b", (1,), [[None], [None]]),
        ),
    )
    table = panel_table(panel)
    assert table.header == ("x", "a (y)", "b (y)")
    assert table.rows == (("1", "0.2000 ± 0.1414", ""), ("2", "0.2000", ""))
