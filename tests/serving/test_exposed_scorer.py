"""A run with an exposure scores raw rows as its bundle does, at each value of the exposure."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers.exposed_log import converting_by, exposed_frame, exposed_log
from helpers.runs import small_settings
from postclick import calibrate, export, score, train
from postclick.errors import InputError
from postclick.runs.run import Run
from postclick.runs.run_scorer import RunScorer
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.opened_scorer import open_scorer

ROWS = exposed_frame(1_500, seed=3)
BARE = ROWS.drop("slot", "click", "buy")
# Absolute: the last digits of float32.
LIMIT = 1e-6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A calibrated run whose pCTCVR is its own, on thinned negatives; its schema fixes slot 3."""
    folder = tmp_path_factory.mktemp("exposed")
    fixed = {"column": "slot", "at": 3}
    log = exposed_log(folder / "log", exposure=fixed, negative_rate=0.5)
    trained = train(log, small_settings("aitm", "epochs=1"), folder / "run")
    rows = exposed_frame(2_000, seed=5)
    later = converting_by(rows, RunScorer(trained).score(rows)["pcvr"])
    # No steep one: what float32 leaves of a logit is multiplied by its slope.
    calibrate(trained, log=later, kind="temperature")
    return Run(trained.folder)


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    return export(run, run.folder.parent / "bundle", exposure_at="average")


@pytest.mark.parametrize(
    "options",
    [{}, {"exposure_at": "average", "negative_rate": 0.3}, {"exposure_at": 1, "calibrated": False}],
    ids=["schema", "average", "value"],
)
def test_a_run_scores_as_its_bundle(run: Run, options: dict[str, Any], tmp_path: Path) -> None:
    bundle, scorer = export(run, tmp_path / "bundle", **options), RunScorer(run, **options)
    found, expected = scorer.score(BARE), bundle.score(BARE)
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < LIMIT, name  # type: ignore[operator]
    assert "slot" not in scorer.features
    assert scorer.score(ROWS.with_columns(slot=pl.lit("never seen"))).equals(found)


def test_where_pctr_is_predicted_moves_nothing_else(run: Run) -> None:
    first, last = (RunScorer(run, exposure_at=slot).score(BARE) for slot in (1, 4))
    assert (first["pctr"] > last["pctr"]).all()
    assert first["pcvr"].equals(last["pcvr"])
    assert not RunScorer(run, calibrated=False).score(BARE)["pcvr"].equals(first["pcvr"])
    with pytest.raises(InputError, match="exposure at '9': the training rows have no such value"):
        RunScorer(run, exposure_at=9)


def test_without_an_exposure_there_is_no_value_of_it(mixed_run: Run) -> None:
    with pytest.raises(InputError, match="was trained without an exposure: leave it out"):
        RunScorer(mixed_run, exposure_at=1)


def test_an_opened_run_scores_as_a_bundle_exported_there(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    BARE.write_parquet(tmp_path / "bare.parquet")
    score(bundle.folder, [tmp_path / "bare.parquet"], tmp_path / "scores.parquet")
    expected = pl.read_parquet(tmp_path / "scores.parquet")
    for folder in (run.folder, bundle.folder):
        found = open_scorer(folder, exposure_at="average").score(BARE)
        for name in expected.columns:
            assert (found[name] - expected[name]).abs().max() < LIMIT, name  # type: ignore[operator]
    for at in (1, "2.0"):
        opened, made = open_scorer(run.folder, exposure_at=at), RunScorer(run, exposure_at=at)
        assert opened.score(BARE).equals(made.score(BARE))


def test_a_scorer_at_another_value_leaves_the_first_where_it_was(run: Run) -> None:
    first = RunScorer(run)
    before = first.score(BARE)
    moved = first.predicting_at(1)
    assert moved.score(BARE).equals(RunScorer(run, exposure_at=1).score(BARE))
    assert first.score(BARE).equals(before) and not moved.score(BARE).equals(before)


def test_a_bundle_that_was_exported_elsewhere_says_where(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="a bundle with pCTR at slot = average: give that, or the"):
        open_scorer(bundle.folder, exposure_at=1)
    with pytest.raises(InputError, match="the training rows have no such value"):
        open_scorer(bundle.folder.parent / "run", exposure_at=9)


def test_a_bundle_without_an_exposure_has_no_value_of_it(mixed_folder: Path) -> None:
    with pytest.raises(InputError, match="a bundle of a run without an exposure: leave it out"):
        open_scorer(mixed_folder, exposure_at="average")
