"""A comparison with means: settings go to members that read them, and the report names all."""

from pathlib import Path

import pytest

from helpers.runs import FAST
from postclick import compare
from postclick.data.prepared import PreparedLog
from postclick.experiments.comparison.plan import Arm, Plan
from postclick.reporting.commands import compare_again
from postclick.reporting.folder import read_comparison

FITTED = Arm("fitted", "mean_of", ("members=[click_prior]",))
STARTS = Arm("starts", "mean_of", ("members=[naive*2]",))
STACKED = Arm("stacked", "mean_of/stacked", ("folds=2", "members=[click_prior,naive*2]"))


def test_settings_for_all_reach_members_that_read_them() -> None:
    fitted, starts = (job.settings for job in Plan.make([FITTED, STARTS], 1, ["epochs=3"]).jobs)
    assert (starts.training.epochs, starts.training.keep) == (3, "last")
    assert starts.network.backbone == "share_bottom"
    assert (fitted.training.epochs, fitted.network.backbone) == (2, "auto")
    assert fitted.training.threads == starts.training.threads == 1


@pytest.mark.slow
def test_a_mean_is_compared_tuned_and_reported(small_log: PreparedLog, tmp_path: Path) -> None:
    sets = [text for text in FAST if not text.startswith(("backbone", "threads"))]
    arms = ["naive", FITTED, STARTS]
    compare(small_log, arms, tmp_path, seeds=1, overrides=sets, workers=1, trials=2)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "what the trials chose" in page
    again = compare_again(read_comparison(tmp_path))
    assert "Arm('fitted', 'mean_of', ('options.members=[\"click_prior\"]',))" in again
    assert "Arm('starts', 'mean_of', ('options.members=[\"naive*2\"]',))" in again
    assert "'training.epochs=1'" in again


def test_the_report_says_what_members_count(small_log: PreparedLog, tmp_path: Path) -> None:
    sets = [text for text in FAST if not text.startswith("threads")]
    compare(small_log, ["naive", STACKED], tmp_path, seeds=1, overrides=sets, workers=1)
    said = read_comparison(tmp_path).parts[0].runs["stacked"].explanation
    assert said is not None
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "stacked: what its members count" in page
    assert said.sentence in page
    for one in said.members:
        assert f"{one.weight:.3f}" in page
        assert f"{one.loss:.5f}" in page
