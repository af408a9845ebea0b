"""Members of a mean: bit for bit the runs that they are alone, also after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.exposed_log import exposed_log
from helpers.kills import killed
from helpers.runs import FAST, identical, saved_weights
from postclick import calibrate, evaluate, export, train
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.training.loop import TrainingLoop

MEAN = "members=[click_prior,naive*2]"


def mean(*changes: str, seed: int = 0) -> RunSettings:
    return RunSettings.make("mean_of", overrides=[*FAST, MEAN, *changes], seed=seed)


@pytest.fixture(scope="module")
def run(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(small_log, mean(seed=1), tmp_path_factory.mktemp("mean") / "run")


def of_member(run: Run, number: int) -> dict[str, Any]:
    start = f"members.{number}."
    found = saved_weights(run.folder).items()
    return {name.removeprefix(start): w for name, w in found if name.startswith(start)}


def test_members_are_the_runs_that_they_are_alone(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    alone = [train(small_log, RunSettings.make("click_prior", overrides=["threads=1"]),
                   tmp_path / "click_prior")]  # fmt: skip
    for seed in (4, 5):
        settings = RunSettings.make("naive", overrides=FAST, seed=seed)
        alone.append(train(small_log, settings, tmp_path / f"naive-{seed}"))
    for number, one in enumerate(alone):
        assert identical(of_member(run, number), saved_weights(one.folder))
    assert not identical(of_member(run, 1), of_member(run, 2))
    (record,) = run.history
    assert [(m["method"], m["seed"]) for m in record["members"]] == [
        ("click_prior", 3), ("naive", 4), ("naive", 5),
    ]  # fmt: skip
    for told, one in zip(record["members"], alone, strict=True):
        assert told["valid"] == one.history[-1]["valid"]
    # What is judged is the mean of what they predict.
    kept = []
    for one in (run, *alone):
        one.evaluate(small_log, "test", keep_predictions=True)
        z = one.predictions()["cvr_logit"].to_numpy().astype(np.float64)
        kept.append(1 / (1 + np.exp(-z)))
    assert kept[0] == pytest.approx(np.average(kept[1:], axis=0, weights=[2, 1, 1]), abs=1e-6)
    assert not list(run.folder.glob("stages*")), "nothing is left of the members' runs"


def test_a_killed_mean_goes_on_from_members_and_checkpoints(
    run: Run, small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frequent = mean("checkpoint_minutes=0.000001", "patience=null", seed=1)
    whole = train(small_log, frequent, tmp_path / "whole")
    with killed(monkeypatch, lambda loop, saved: saved == 4):  # within the second of two networks
        train(small_log, frequent, tmp_path / "run")
    stages = tmp_path / "run.partial" / "stages"
    there = sorted(path.name for path in stages.iterdir() if path.is_dir())
    assert there[0] == "member-0"
    assert there[-1].endswith(".partial")
    begun: list[Path] = []
    init = TrainingLoop.__init__

    def note(loop: TrainingLoop, *given: Any, **named: Any) -> None:
        begun.append(given[4])
        assert given[4].exists() == (len(begun) == 1), "from its checkpoint, the rest from none"
        init(loop, *given, **named)

    monkeypatch.setattr(TrainingLoop, "__init__", note)
    resumed = train(small_log, frequent, tmp_path / "run")
    finished = sum(not name.endswith(".partial") for name in there)
    assert len(begun) == 3 - finished
    assert identical(saved_weights(resumed.folder), saved_weights(whole.folder))
    assert [m["seed"] for m in resumed.history[0]["members"]] == [3, 4, 5]


def test_it_is_calibrated_exported_and_scored_like_any(
    run: Run, small_log: PreparedLog, small_raw: Any, tmp_path: Path
) -> None:
    for which in ("probability", "logit"):
        made = run
        if which == "logit":
            made = train(small_log, mean("mean=logit", "members=[naive,esmm]"), tmp_path / "logit")
        bundle = export(made, tmp_path / f"{which}-bundle")
        assert bundle.info.parity.largest_difference < 1e-6
        scored = bundle.score(small_raw.test.head(200))
        assert scored.height == 200
        assert (scored["pctcvr"] - scored["pctr"] * scored["pcvr"]).abs().max() < 1e-6
    assert calibrate(run, small_log, "platt").document.fitted_on.clicks > 0
    assert evaluate(run, small_log).value("cvr_auc") > 0.5


def test_a_log_with_an_exposure(tmp_path: Path) -> None:
    log = exposed_log(tmp_path / "log", negative_rate=0.5)
    made = train(log, mean(), tmp_path / "run")
    at = [evaluate(made, log, exposure_at=slot) for slot in ("1", "4")]
    # Slot 1 is clicked most: pCTR lies higher, pCVR stays.
    assert at[0].value("ctr_pcoc") > at[1].value("ctr_pcoc") + 0.1
    assert at[0].value("cvr_nll") == at[1].value("cvr_nll")
    served = [export(made, tmp_path / f"at-{slot}", exposure_at=slot) for slot in ("1", "4")]
    assert all(bundle.info.parity.largest_difference < 1e-6 for bundle in served)
    assert [bundle.info.exposure.at for bundle in served] == ["1", "4"]


def test_a_member_that_diverges_is_named(small_log: PreparedLog, tmp_path: Path) -> None:
    member = "members=[naive,{method: esmm, training: {lr: 1.0e+9}}]"
    with pytest.raises(RunFailedError, match=r"member 2 of 2 \(esmm, seed 1\): .*training.lr"):
        train(small_log, mean(member), tmp_path / "run")
    assert not (tmp_path / "run.partial").exists()
