"""Bundles of runs with an exposure: the same as torch, the mean as by brute force."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.exposed_log import SLOTS, exposed_frame, exposed_log
from helpers.runs import small_settings
from postclick import export, score, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.canonical import Canonicalizer, Issues
from postclick.errors import InputError
from postclick.logits import sigmoid
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits

ROWS = exposed_frame(300, seed=3)
RATE = 0.3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exposed")


@pytest.fixture(scope="module")
def log(folder: Path) -> PreparedLog:
    return exposed_log(folder / "log", negative_rate=0.5)


@pytest.fixture(scope="module")
def run(log: PreparedLog, folder: Path) -> Run:
    return train(log, small_settings("esmm"), folder / "run")


@pytest.fixture(scope="module")
def averaged(run: Run, folder: Path) -> Bundle:
    return export(run, folder / "averaged")


@pytest.fixture(scope="module")
def at_each(run: Run, folder: Path) -> dict[str, Bundle]:
    return {slot: export(run, folder / f"at{slot}", exposure_at=slot) for slot in SLOTS}


def shares(log: PreparedLog, rate: float = 1.0) -> dict[str, float]:
    """Of the impressions before any was left out, from the counts of the prepared log."""
    column = log.manifest.exposure
    assert column is not None
    values = pl.read_parquet(log.folder / "vocabularies" / "slot.parquet")["value"]
    kept = rate * log.manifest.negative_rate
    rows, clicks = np.array(column.rows), np.array(column.clicks)
    shown = clicks + (rows - clicks) / kept
    return dict(zip(values, (shown / shown.sum())[1:].tolist(), strict=True))


def test_the_mean_is_that_of_the_bundles_at_each_value(
    averaged: Bundle, at_each: dict[str, Bundle], log: PreparedLog
) -> None:
    found = averaged.score(ROWS)
    expected = sum(
        share * at_each[slot].score(ROWS)["pctr"].to_numpy() for slot, share in shares(log).items()
    )
    assert found["pctr"].to_numpy() == pytest.approx(expected, abs=1e-6)
    for bundle in at_each.values():
        assert bundle.score(ROWS)["pcvr"].equals(found["pcvr"])
    assert found["pctcvr"].to_numpy() == pytest.approx(
        (found["pctr"] * found["pcvr"]).to_numpy(), abs=1e-7
    )
    assert averaged.info.parity.largest_difference < 1e-6


def test_a_bundle_at_a_value_says_what_torch_says_of_rows_with_it(
    at_each: dict[str, Bundle], run: Run, log: PreparedLog
) -> None:
    canonical = Canonicalizer(log.manifest.log_schema, ROWS.columns)
    known = pl.read_parquet(log.folder / "vocabularies" / "slot.parquet")["value"].to_list()
    run.evaluate(log, "test", keep_predictions=True)
    kept = run.predictions("test")
    raw = exposed_frame(600, seed=1)
    scored = {slot: bundle.score(raw)["pctr"].to_list() for slot, bundle in at_each.items()}
    # Rows of the prepared split lie in another order: compare them sorted.
    by_slot = log.rows("test").exposure
    assert by_slot is not None
    pctr = sigmoid(kept["ctr_logit"].cast(pl.Float64).to_numpy())
    texts = canonical.convert(raw, Issues())["slot"].to_list()
    for slot in SLOTS:
        mine = sorted(p for p, text in zip(scored[slot], texts, strict=True) if text == slot)
        theirs = np.sort(pctr[by_slot.numpy() == known.index(slot) + 1])
        assert np.array(mine) == pytest.approx(theirs, abs=1e-6)


def test_no_request_needs_the_exposure_and_none_is_read(
    averaged: Bundle, folder: Path, tmp_path: Path
) -> None:
    assert "slot" not in averaged.features
    bare = ROWS.drop("slot", "click", "buy")
    assert averaged.score(bare).equals(averaged.score(ROWS))
    odd = ROWS.with_columns(slot=pl.lit("never seen"))
    assert averaged.score(odd).equals(averaged.score(ROWS))
    body = b'{"rows": ' + bare.head(3).write_json().encode() + b"}"
    rows = parse_json(body, averaged.features, Limits()).rows
    assert averaged.predict(rows).frame().equals(averaged.score(bare.head(3)))
    score(averaged, bare, tmp_path / "scores.parquet")
    assert pl.read_parquet(tmp_path / "scores.parquet").equals(averaged.score(bare))
    assert not (averaged.folder / "vocabularies" / "slot.parquet").exists()


def test_what_the_bundle_says_of_it(averaged: Bundle, at_each: dict[str, Bundle]) -> None:
    assert averaged.info.exposure is not None
    assert averaged.info.exposure.model_dump() == {"column": "slot", "at": "average"}
    found = at_each["2"].info.exposure
    assert found is not None
    assert found.at == "2"


def test_the_schema_may_fix_the_value_and_export_may_change_it(
    tmp_path: Path, run: Run, log: PreparedLog
) -> None:
    fixed = exposed_log(tmp_path / "log", exposure={"column": "slot", "at": 3}, negative_rate=0.5)
    again = train(fixed, small_settings("esmm"), tmp_path / "run")
    bundle = export(again, tmp_path / "bundle")
    assert bundle.info.exposure is not None
    assert bundle.info.exposure.at == "3"
    # The value says nothing to training.
    batch = next(iter(log.shuffled("valid", 50, 0)))
    assert run.load().predict(batch).ctr.equal(again.load().predict(batch).ctr)
    other = export(again, tmp_path / "other", exposure_at="average")
    assert other.info.exposure is not None
    assert other.info.exposure.at == "average"


def test_a_log_that_came_down_sampled_is_corrected_within_the_mean(
    run: Run, log: PreparedLog, at_each: dict[str, Bundle], tmp_path: Path
) -> None:
    bundle = export(run, tmp_path / "bundle", negative_rate=RATE)
    assert bundle.info.ctr_shift == 0.0
    expected = np.zeros(ROWS.height)
    for slot, share in shares(log, RATE).items():
        pctr = at_each[slot].score(ROWS)["pctr"].cast(pl.Float64).to_numpy()
        logit = np.log(pctr) - np.log1p(-pctr)
        expected += share * sigmoid(logit + math.log(RATE))
    assert bundle.score(ROWS)["pctr"].to_numpy() == pytest.approx(expected, abs=2e-6)


def test_a_method_with_a_pctcvr_of_its_own(log: PreparedLog, tmp_path: Path) -> None:
    run = train(log, small_settings("aitm", "epochs=1"), tmp_path / "run")
    one, other = (export(run, tmp_path / f"b{k}", exposure_at=k) for k in (1, 4))
    first, second = one.score(ROWS), other.score(ROWS)
    assert first["pcvr"].equals(second["pcvr"])
    assert (first["pctr"] > second["pctr"]).all()
    for found in (first, second):
        joint = (found["pctr"] * found["pcvr"]).to_numpy()
        assert found["pctcvr"].to_numpy() == pytest.approx(joint, abs=1e-6)


def test_refusals(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exposure at '9': the training rows have no such value"):
        export(run, tmp_path / "bundle", exposure_at=9)
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(InputError, match="give one of .*, or average"):
        run.evaluate(PreparedLog(run.folder.parent / "log"), exposure_at="top")


def test_a_run_without_an_exposure_refuses_one(tmp_path: Path, small_log: PreparedLog) -> None:
    run = train(small_log, small_settings("naive", "epochs=1"), tmp_path / "run")
    with pytest.raises(InputError, match="was trained without an exposure: leave it out"):
        export(run, tmp_path / "bundle", exposure_at=1)
    bundle = export(run, tmp_path / "bundle")
    assert bundle.info.exposure is None
    assert "exposure" not in (bundle.folder / "bundle.json").read_text()
