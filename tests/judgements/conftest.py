"""Judgements whose pages are looked at."""

from pathlib import Path

import polars as pl
import pytest

from helpers.hostile_predictions import hostile_predictions
from postclick.judgements.judge_log import judge
from postclick.judging.predicted.result import JudgedLog

TWELVE = tuple(f"model_{k}" for k in range(12))


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[JudgedLog, Path]:
    """Three models, and every section that a page can have."""
    folder = tmp_path_factory.mktemp("everything")
    log = folder / "a log.parquet"
    hostile_predictions().write_parquet(log)
    judged = judge(
        log,
        group="user",
        by=["shop", "price"],
        time="at",
        exposure="position",
        propensity="pctr",
        clip=0.02,
        true_cvr="true",
        randomised="drawn",
        resamples=200,
        out=folder / "judged",
    )
    return judged, folder / "judged"


@pytest.fixture(scope="session")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> tuple[JudgedLog, Path]:
    """So many models that tables and figures are cut into several."""
    out = tmp_path_factory.mktemp("twelve") / "judged"
    log = hostile_predictions(TWELVE, rows=2000)
    return judge(log, by=["position"], resamples=100, out=out), out


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[JudgedLog, Path]:
    """One model, and nothing asked for beside."""
    out = tmp_path_factory.mktemp("plain") / "judged"
    log = hostile_predictions(["only"], rows=1000)
    return judge(log, resamples=100, out=out), out


@pytest.fixture(scope="session")
def fruitless(tmp_path_factory: pytest.TempPathFactory) -> tuple[JudgedLog, Path]:
    """Two models on a log without a conversion."""
    out = tmp_path_factory.mktemp("fruitless") / "judged"
    log = hostile_predictions(["a", "b"], rows=600).with_columns(
        conversion=pl.lit(0, dtype=pl.Int8)
    )
    judged = judge(
        log, by=["shop"], time="at", exposure="position", propensity="pctr", resamples=100, out=out
    )
    return judged, out
