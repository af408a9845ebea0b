"""Runs on logs with an exposure: what they learn of it, resuming, and every optimizer."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from helpers.exposed_log import EFFECT, SLOTS, exposed_frame, exposed_log
from helpers.installed import TRAINABLE
from helpers.runs import saved_weights, small_settings
from postclick import train
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.prepared import PreparedLog
from postclick.methods import METHODS
from postclick.methods.exposed import table_name
from postclick.nn.exposure import GAIN
from postclick.runs.build import build_method
from postclick.runs.overrides import read_by
from postclick.runs.run import Run
from postclick.runs.training_config import TrainingConfig
from postclick.training.loop import TrainingLoop
from postclick.training.optimizer import Optimizer


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return exposed_log(tmp_path_factory.mktemp("exposed") / "log")


def learned(log: PreparedLog, run: Run) -> np.ndarray:
    """What each of SLOTS adds to the logit of a click, their mean taken off."""
    values = Vocabulary.load(log.folder / "vocabularies", "slot").encode(pl.Series(SLOTS))
    table = saved_weights(run.folder)[table_name("ctr")].squeeze(1).numpy()
    added: np.ndarray = GAIN * table[values]
    return added - added.mean()


@pytest.mark.parametrize("optimizer", ["lazy_adam", "exact_adam"])
def test_the_effect_of_a_slot_is_told_from_that_of_what_stands_there(
    tmp_path: Path, optimizer: str
) -> None:
    """Good shops stand at the top: log-odds of slots, where it starts, are too far apart."""
    log = exposed_log(tmp_path / "log", rows=40_000)
    settings = small_settings(
        "esmm", f"optimizer={optimizer}", "epochs=6", "patience=null", "keep=last"
    )
    run = train(log, settings, tmp_path / "run")
    values = log.inputs.exposure
    assert values is not None
    known = Vocabulary.load(log.folder / "vocabularies", "slot").encode(pl.Series(SLOTS))
    start = np.array(values.log_odds)[known]
    off_at_start = np.abs(start - start.mean() - EFFECT).max()
    off = np.abs(learned(log, run) - EFFECT).max()
    assert off_at_start > 0.3
    assert off < 0.15
    # pCTR is right at each slot.
    by_slot = run.evaluate(log, "test", by="slot").by[0]
    assert sorted(segment.value for segment in by_slot.segments) == list(SLOTS)
    for segment in by_slot.segments:
        pcoc = next(m.value for m in segment.metrics if m.metric == "ctr_pcoc")
        assert pcoc == pytest.approx(1.0, abs=5 / np.sqrt(segment.clicks))


@pytest.mark.parametrize("optimizer", ["lazy_adam", "exact_adam"])
@pytest.mark.parametrize("method", ["mrdr_gpl", "esmm"])
def test_a_run_that_was_stopped_ends_at_the_same_weights(
    log: PreparedLog,
    method: str,
    optimizer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stopped(BaseException):
        """Stands for a kill within the process."""

    settings = small_settings(method, "patience=null", f"optimizer={optimizer}")
    expected = saved_weights(train(log, settings, tmp_path / "whole").folder)
    real = TrainingLoop._save

    def save(loop: TrainingLoop) -> None:
        real(loop)
        raise Stopped

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(TrainingLoop, "_save", save)
        train(log, settings, tmp_path / "run")
    found = saved_weights(train(log, settings, tmp_path / "run").folder)
    fresh = build_method(settings, log).state_dict()
    assert found.keys() == expected.keys() == fresh.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
        if name.startswith("exposure.tables"):
            assert not torch.equal(fresh[name], tensor), name


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_method_trains_its_exposures_and_predicts_again_what_it_did(
    log: PreparedLog, name: str, tmp_path: Path
) -> None:
    length = read_by(METHODS[name], ["epochs=1", "keep=last"])
    settings = small_settings(name, *length)
    run = train(log, settings, tmp_path / "run")
    method, start = run.load(), build_method(settings, log)
    effects = method.exposures()
    assert effects
    for effect, fresh in zip(effects, start.exposures(), strict=True):
        for head in effect.heads:
            assert not torch.equal(effect.tables[head], fresh.tables[head])
    batch = next(iter(log.shuffled("valid", 200, 0)))
    assert batch.exposure is not None
    pcvr = method.predict(batch).cvr
    judged = run.evaluate(log, "test").value("ctr_auc")
    averaged = run.evaluate(log, "test", exposure_at="average").value("ctr_auc")
    assert torch.equal(method.predict(batch).cvr, pcvr)
    assert judged is not None
    assert averaged is not None
    assert judged > averaged + 0.02


@pytest.mark.parametrize("mode", ["lazy_adam", "exact_adam"])
def test_rows_of_an_exposure_wait_and_catch_up_as_those_of_other_tables_do(mode: str) -> None:
    """As dense Adam, beside a table of other ids; lazily to what a closed form leaves out."""
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(6, 1, generator=rng)
    wide = torch.randn(50, 4, generator=rng)
    config = TrainingConfig(optimizer=mode, weight_decay=1e-2)
    table, other = torch.nn.Parameter(start.clone()), torch.nn.Parameter(wide.clone())
    dense = torch.nn.Parameter(start.clone())
    optimizer = Optimizer(
        [("exposure.tables.ctr", table), ("embedding.table", other)],
        {"exposure.tables.ctr", "embedding.table"},
        config,
    )
    plain = torch.optim.Adam([dense], lr=0.01, weight_decay=1e-2)
    for step in range(40):
        # One value is shown now and then only.
        exposure = torch.tensor([1, 2, 2, 5] if step % 13 == 0 else [1, 2, 2, 3])
        ids = torch.randint(0, 50, (4,), generator=rng)
        optimizer.prepare(ids, {"exposure.tables.ctr": exposure})
        table.grad = other.grad = dense.grad = None
        rows = torch.nn.functional.embedding(exposure, table, sparse=True)
        vectors = torch.nn.functional.embedding(ids, other, sparse=True)
        (rows.squeeze(1) - vectors.sum(1)).square().sum().backward()
        optimizer.step(0.01)
        of_dense = torch.nn.functional.embedding(exposure, dense)
        (of_dense.squeeze(1) - vectors.detach().sum(1)).square().sum().backward()
        plain.step()
    optimizer.catch_up()
    tolerance = 1e-5 if mode == "exact_adam" else 1e-2
    torch.testing.assert_close(table.detach(), dense.detach(), rtol=0, atol=tolerance)


def test_slots_of_the_log_go_by_its_shops() -> None:
    """What the first test relies on."""
    frame = exposed_frame(5_000)
    by_slot = frame.group_by("slot").agg(pl.col("shop").mean()).sort("slot")["shop"].to_list()
    assert by_slot == sorted(by_slot, reverse=True)
