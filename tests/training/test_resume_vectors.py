"""A run on vectors and hashed values that was stopped goes on as if it had not been."""

from pathlib import Path

import pytest
import torch

from helpers.runs import saved_weights, small_settings
from postclick import train
from postclick.testing.fake_log import fake_log
from postclick.training.loop import TrainingLoop


class Stopped(BaseException):
    """Stands for a kill within the process."""


@pytest.mark.parametrize("method", ["esmm", "dr_jl"])
def test_it_ends_at_the_same_weights(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = fake_log(tmp_path / "log", rows=1_500)
    settings = small_settings(method, "patience=null")
    expected = saved_weights(train(log, settings, tmp_path / "whole").folder)
    real = TrainingLoop._save

    def save(loop: TrainingLoop) -> None:
        real(loop)
        raise Stopped

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(TrainingLoop, "_save", save)
        train(log, settings, tmp_path / "run")
    found = saved_weights(train(log, settings, tmp_path / "run").folder)
    assert any("projections" in name for name in found)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
