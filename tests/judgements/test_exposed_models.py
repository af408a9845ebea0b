"""Runs and bundles with an exposure are judged with pCTR at a value of it, or at the mean."""

from pathlib import Path

import polars as pl
import pytest

from helpers import commands
from helpers.exposed_log import exposed_frame, exposed_log
from helpers.predictions import close, figures
from helpers.runs import small_settings
from postclick import export, judge, score, train
from postclick.errors import InputError
from postclick.runs.run import Run
from postclick.runs.run_scorer import RunScorer
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.opened_scorer import open_scorer

ROWS = exposed_frame(1_500, seed=3)
BARE = ROWS.drop("slot", "click", "buy")
KINDS = ("pctr", "pcvr", "pctcvr")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose schema fixes slot 3."""
    folder = tmp_path_factory.mktemp("exposed")
    fixed = {"column": "slot", "at": 3}
    log = exposed_log(folder / "log", exposure=fixed, negative_rate=0.5)
    return train(log, small_settings("aitm", "epochs=1"), folder / "run")


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    return export(run, run.folder.parent / "bundle", exposure_at="average")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("later") / "rows.parquet"
    ROWS.write_parquet(path)
    return path


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
    for name, scored in scores.items():
        pcoc = scored["pctr"].cast(pl.Float64).sum() / ROWS["click"].sum()
        for judged in (found, without):
            assert judged.value(name, "ctr_pcoc") == pytest.approx(pcoc, rel=1e-6)
    assert found.value("a", "ctr_pcoc") != pytest.approx(found.value("b", "ctr_pcoc"), rel=0.01)
    assert found.value("a", "cvr_nll") == pytest.approx(found.value("b", "cvr_nll"), rel=1e-5)
    ROWS.write_parquet(tmp_path / "rows.parquet")
    arguments = (f"a={run.folder}", "--model", f"b={bundle.folder}", "--resamples", "40")
    told = commands.succeed("judge", tmp_path / "rows.parquet", "--model", *arguments)
    assert "slot" in told


@pytest.mark.parametrize("at", [4, "average"])
def test_a_run_is_judged_as_the_scores_of_a_bundle_exported_there(
    run: Run, bundle: Bundle, at: str | int, rows: Path, tmp_path: Path
) -> None:
    there = bundle if at == "average" else export(run, tmp_path / "bundle", exposure_at=at)
    score(there.folder, [rows], tmp_path / "scores.parquet")
    scores = pl.read_parquet(tmp_path / "scores.parquet").select(pl.all().name.suffix("_columns"))
    models = {
        "run": run.folder,
        "bundle": there.folder,
        "opened": RunScorer(run),
        "columns": {kind: f"{kind}_columns" for kind in KINDS},
    }
    log = pl.concat([ROWS, scores], how="horizontal")
    judged = judge(log, models=models, exposure_at=at, resamples=40)
    of = {m: {k[1:]: v for k, v in figures(judged).items() if k[0] == m} for m in models}
    close(of["bundle"], of["columns"], 1e-6)  # in other batches
    close(of["opened"], of["run"], 1e-12)
    close(of["run"], of["columns"], 1e-4)  # another runtime rounds otherwise
    assert judged.findings[1] == f"pCTR of run, bundle, opened is predicted at exposure {at}"


def test_the_command_takes_it_and_the_page_repeats_it(run: Run, rows: Path, tmp_path: Path) -> None:
    options = ("--model", f"a={run.folder}", "--resamples", "40", "--exposure-at", "1")
    told = commands.succeed("judge", rows, *options, "--out", tmp_path / "judged")
    assert "pCTR of a is predicted at exposure 1" in told.replace("\n", " ")
    assert "--exposure-at 1" in (tmp_path / "judged" / "summary.json").read_text()
    found = judge(rows, models={"a": run.folder}, exposure_at=1, resamples=40)
    pctr = open_scorer(run.folder, exposure_at=1).score(BARE)["pctr"].cast(pl.Float64)
    expected = pytest.approx(pctr.sum() / ROWS["click"].sum(), rel=1e-6)
    assert found.value("a", "ctr_pcoc") == expected
    assert judge(rows, models=[run.folder], resamples=40).value("run", "ctr_pcoc") != expected


def test_a_model_without_an_exposure_stays_as_it_is_and_alone_is_refused(run: Run) -> None:
    log = ROWS.with_columns(pl.lit(0.3).alias("pctr"), pl.lit(0.2).alias("pcvr"))
    plain = {"pctr": "pctr", "pcvr": "pcvr"}
    schema = run.manifest.log_schema
    both = {"plain": plain, "run": run.folder}
    judged = judge(log, models=both, schema=schema, exposure_at=1, resamples=40)
    alone = judge(log, models={"plain": plain}, schema=schema, resamples=40)
    expected = pytest.approx(alone.value("plain", "ctr_pcoc"), rel=1e-12)
    assert judged.value("plain", "ctr_pcoc") == expected
    for models in (None, {"plain": plain}):
        with pytest.raises(InputError, match="no model was trained with an exposure: leave it out"):
            judge(log, models=models, exposure_at=1, resamples=40)


def test_values_that_cannot_be_had_are_refused_in_one_line(
    run: Run, bundle: Bundle, rows: Path
) -> None:
    models = ("--model", f"a={run.folder}", "--model", f"b={bundle.folder}")
    for at, told in {
        "9": "exposure at '9': the training rows have no such value of 'slot'",
        "1": f"--exposure-at is 1: {bundle.folder} is a bundle with pCTR at slot = average",
    }.items():
        refused = commands.run("judge", rows, *models, "--exposure-at", at)
        assert refused.code == 2 and refused.err.count("\n") == 1
        assert told in refused.err
    assert commands.succeed("judge", rows, *models, "--exposure-at", "average")
