"""Runs and bundles judged on a raw log beside columns."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers.predictions import close, figures, without
from helpers.runs import FAST
from postclick import InputError, export, judge, train
from postclick.data.prepared import PreparedLog
from postclick.datasets.simulated import SimulatedLog
from postclick.judgements.models import models_of
from postclick.judging.predicted.columns import ModelColumns, find_models, parse_model
from postclick.runs.settings import RunSettings
from postclick.serving.opened_scorer import open_scorer

FEW: Any = {"resamples": 40}


@pytest.fixture(scope="module")
def run(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    train(small_log, RunSettings.make("naive", overrides=list(FAST)), folder / "run")
    export(folder / "run", folder / "bundle")
    return folder / "run"


def test_a_run_is_judged_as_the_columns_that_it_predicts(
    run: Path, small_raw: SimulatedLog
) -> None:
    log = small_raw.test
    scored = open_scorer(run).score(log).rename(lambda name: f"{name}_columns")
    both = pl.concat([log, scored], how="horizontal")
    schema = small_raw.schema
    models = {
        "run": run,
        "columns": {k: f"{k}_columns" for k in ("pctr", "pcvr", "pctcvr")},
        "bundle": run.parent / "bundle",
    }
    judged = judge(both, models=models, schema=schema, **FEW)
    of = {m: {k[1:]: v for k, v in figures(judged).items() if k[0] == m} for m in models}
    close(of["run"], of["columns"], 1e-12)
    close(of["bundle"], of["run"], 1e-4)  # another runtime rounds otherwise
    assert any(metric == "true_cvr_auc" for metric, _ in of["run"])
    # The schema of the run is used where none is given.
    alone = judge(both, models=[run, f"again={run}"], **FEW)
    assert alone.models == ("run", "again")
    close({k[1:]: v for k, v in figures(alone).items() if k[0] == "run"}, of["run"], 1e-12)


def test_a_log_that_a_run_cannot_read_is_refused(run: Path, small_raw: SimulatedLog) -> None:
    name = small_raw.schema.categorical[0].name
    lacking = small_raw.test.drop(name)
    with pytest.raises(InputError, match=f"no column '{name}'"):
        judge(lacking, models=[run], **FEW)


def test_names_of_columns_name_models() -> None:
    columns = ["click", "pctr_a", "a.pcvr", "b-pctcvr", "PCVR:c d", "pcvr", "mypcvr", "pcvr_"]
    found = {one.name: one for one in find_models(columns)}
    assert list(found) == ["a", "b", "c d", "model"]
    assert found["a"] == ModelColumns("a", pctr="pctr_a", pcvr="a.pcvr")
    assert found["b"] == ModelColumns("b", pctcvr="b-pctcvr")
    assert found["c d"] == ModelColumns("c d", pcvr="PCVR:c d")
    assert found["model"] == ModelColumns("model", pcvr="pcvr")


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "=pcvr:x", "a=pcvr", "a=pcvr:", "a=cvr:x", "a=pcvr:x,pcvr:y"]
)
def test_a_model_that_is_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not NAME=pctr:COLUMN"):
        parse_model(text)


def test_the_one_to_beat_comes_first() -> None:
    log = pl.DataFrame(
        {"click": [1, 0, 1], "conversion": [1, 0, 0], "pcvr_a": [0.1, 0.2, 0.3],
         "pcvr_b": [0.3, 0.2, 0.1]}
    )  # fmt: skip
    assert judge(log, **FEW).models == ("a", "b")
    assert judge(log, against="b", **FEW).models == ("b", "a")
    assert list(models_of(["b=pcvr:pcvr_b", "a=pcvr:pcvr_a"], log.columns)) == ["b", "a"]
    given = {"x": ModelColumns("x", pcvr="pcvr_a"), "y": {"pcvr": "pcvr_b"}}
    assert without(judge(log, models=given, **FEW))["models"] == ("x", "y")
