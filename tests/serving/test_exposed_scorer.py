"""A run with an exposure scores raw rows as its bundle does, and is judged beside it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers import commands
from helpers.exposed_log import converting_by, exposed_frame, exposed_log
from helpers.runs import small_settings
from postclick import calibrate, export, judge, train
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


def test_the_judge_takes_the_exposure_of_the_schema_where_the_log_has_it(
    run: Run, bundle: Bundle, tmp_path: Path
) -> None:
    models = {"a": run.folder, "b": bundle.folder}
    found = judge(ROWS, models=models, resamples=40)
    assert found.roles["exposure"] == "slot"
    without = judge(ROWS.drop("slot"), models=models, resamples=40)
    assert "exposure" not in without.roles
    # pCTR of the run is that at slot 3, of the bundle the mean; pCVR is the same.
    scores = {"a": open_scorer(run.folder).score(BARE), "b": bundle.score(BARE)}
    for name, score in scores.items():
        pcoc = score["pctr"].cast(pl.Float64).sum() / ROWS["click"].sum()
        for judged in (found, without):
            assert judged.value(name, "ctr_pcoc") == pytest.approx(pcoc, rel=1e-6)
    assert found.value("a", "ctr_pcoc") != pytest.approx(found.value("b", "ctr_pcoc"), rel=0.01)
    assert found.value("a", "cvr_nll") == pytest.approx(found.value("b", "cvr_nll"), rel=1e-5)
    ROWS.write_parquet(tmp_path / "rows.parquet")
    arguments = (f"a={run.folder}", "--model", f"b={bundle.folder}", "--resamples", "40")
    told = commands.succeed("judge", tmp_path / "rows.parquet", "--model", *arguments)
    assert "slot" in told
