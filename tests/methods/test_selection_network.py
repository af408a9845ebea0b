"""Networks as predictors of a selection model: what they are trained with, and what is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit

import postclick
from helpers import commands
from helpers.kills import killed
from helpers.runs import identical, saved_weights
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods import SelectionAt, SelectionNetwork
from postclick.runs.run import Run
from postclick.testing import make_method
from reference.latent_cause import quadrature

from .helpers import make_batch
from .selection_log import frame, prepared

S = 1.5
SETS = ["threads=1", "epochs=3", "batch_size=256", "lr=0.005", "tower=[16,8]", "embedding_dim=4"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return prepared(frame(30_000, S), tmp_path_factory.mktemp("networks") / "data")


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    settings = postclick.RunSettings.make("selection_network", overrides=SETS)
    return postclick.train(log, settings, log.folder.parent / "run")


def bias(run: Run, log: PreparedLog) -> float:
    found = {(m.metric, m.space): m.value for m in run.evaluate(log, "test").metrics}
    truth = np.concatenate([window.truth["true_cvr"] for window in log.windows("test")])
    return found["cvr_bias", "entire"] / float(truth.mean())


def test_s_is_that_of_selection_and_the_weights_those_of_networks_at_it(
    log: PreparedLog, run: Run, tmp_path: Path
) -> None:
    linear = postclick.train(log, "selection", tmp_path / "linear")
    told = linear.explain().dependence
    assert run.load().dependence_told == told
    assert run.explain() == linear.explain()
    assert commands.succeed("explain", run.folder) == commands.succeed("explain", linear.folder)
    sets = [*SETS, f"dependence={told.served!r}"]
    settings = postclick.RunSettings.make("selection_at", overrides=sets)
    alone = saved_weights(postclick.train(log, settings, tmp_path / "alone").folder)
    ours = {k: w for k, w in saved_weights(run.folder).items() if not k.startswith("dependence")}
    assert identical(ours, alone)
    (record,) = run.history
    assert [one["method"] for one in record["members"]] == ["selection_at"]


def test_it_corrects_what_naive_does_not(log: PreparedLog, run: Run, tmp_path: Path) -> None:
    settings = postclick.RunSettings.make("naive", overrides=SETS)
    plain = bias(postclick.train(log, settings, tmp_path / "naive"), log)
    assert plain > 0.25
    assert abs(bias(run, log)) < 0.5 * plain


@pytest.mark.parametrize("latent", ["normal", "two_point", "skewed"])
@pytest.mark.parametrize("kind", [SelectionAt, SelectionNetwork])
def test_what_is_served_is_the_models(kind: Any, latent: str) -> None:
    options = {"dependence": S, "latent": latent}
    method = make_method(kind, options).eval()
    if kind is SelectionNetwork:
        free = make_method(kind, {"latent": latent}).eval()
        free.load_state_dict(method.state_dict(), strict=False)
        with torch.no_grad():
            free.dependence.fill_(S)
    batch = make_batch([1, 0, 1, 0], [1, 0, 0, 0])
    with torch.no_grad():
        outputs, found, given = method(batch), method.predict(batch), method.given_click(batch)
        if kind is SelectionNetwork:
            assert torch.allclose(free.predict(batch).cvr, found.cvr)
            assert torch.allclose(free.given_click(batch), given)
    nodes, weights = quadrature(latent)
    a, b = (outputs.logits[head].double().numpy()[:, None] for head in ("ctr", "cvr"))
    click, conversion = expit(a + nodes), expit(b + S * nodes)
    np.testing.assert_allclose(found.ctr.sigmoid(), click @ weights, rtol=1e-5)
    np.testing.assert_allclose(found.cvr.sigmoid(), conversion @ weights, rtol=1e-5)
    of_clicks = (click * conversion) @ weights / (click @ weights)
    np.testing.assert_allclose(given.sigmoid(), of_clicks, rtol=1e-5)


def test_the_exposure_moves_a_alone(log: PreparedLog, run: Run) -> None:
    batch = next(iter(log.sequential("test", 200)))[0]
    method = run.load()
    with torch.no_grad():
        found = [
            method.predict(type(batch)(**{**vars(batch), "exposure": torch.full((200,), at)}))
            for at in (1, 2)
        ]
    assert torch.equal(found[0].cvr, found[1].cvr)
    assert not torch.equal(found[0].ctr, found[1].ctr)


def test_left_out_impressions_change_no_level(tmp_path: Path) -> None:
    """Of a log without half of its unclicked training rows, the model is still that of all."""
    settings = postclick.RunSettings.make("selection_at", overrides=[*SETS, "dependence=1.5"])
    means = []
    for rate in (1.0, 0.5):
        log = prepared(frame(30_000, S), tmp_path / f"log{rate}", negative_rate=rate)
        method = postclick.train(log, settings, tmp_path / f"run{rate}").load()
        batch = next(iter(log.sequential("test", log.split("test").rows)))[0]
        with torch.no_grad():
            found, sampled = method.predict(batch), method.predict_sampled(batch)
            given = method.given_click(batch)[batch.click == 1]
        levels = (found.ctr, found.cvr, given)
        means.append([z.sigmoid().mean().item() for z in levels])
    np.testing.assert_allclose(means[0], means[1], rtol=0.06)
    by = sampled.ctr - found.ctr
    torch.testing.assert_close(by, torch.full_like(by, np.log(2)), rtol=1e-4, atol=1e-4)


def test_a_killed_run_goes_on_from_its_profile_and_its_checkpoint(
    log: PreparedLog, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frequent = [*SETS, "checkpoint_minutes=0.000001"]
    settings = postclick.RunSettings.make("selection_network", overrides=frequent)
    with killed(monkeypatch, lambda loop, saved: True):
        postclick.train(log, settings, tmp_path / "run")
    stages = {path.name for path in (tmp_path / "run.partial" / "stages").iterdir()}
    assert {"selection.safetensors", "member-0.partial"} <= stages
    with monkeypatch.context() as patched:
        for step in ("fit_clicks", "DependenceSearch"):
            patched.delattr(f"postclick.methods.selection_fit.{step}")
        again = postclick.train(log, settings, tmp_path / "run")
    assert identical(saved_weights(again.folder), saved_weights(run.folder))


def test_a_bundle_of_it_says_the_same(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    bundle = postclick.export(run, tmp_path / "bundle")
    assert bundle.info.parity.largest_difference < 1e-5


def test_it_reads_what_networks_read_and_is_not_calibrated_on_clicks(
    log: PreparedLog, run: Run
) -> None:
    assert run.settings.training.epochs == 3
    with pytest.raises(InputError, match="rate if everybody clicked"):
        postclick.calibrate(run, log)
    at = postclick.RunSettings.make("selection_at")
    assert not at.differs_on_clicks  # s is 0 unless it is given
    assert postclick.RunSettings.make("selection_at/one").differs_on_clicks
