"""bf16 is measured where it is asked for; what `auto` takes is kept for a run that is resumed."""

from pathlib import Path

import pytest
import torch

from helpers.runs import small_settings
from postclick import PreparedLog, train
from postclick.errors import InputError
from postclick.methods.base import Step
from postclick.progress import Silent
from postclick.runs.build import build_method
from postclick.system.files import read_json, write_json
from postclick.training import precision
from postclick.training.precision import bf16_over_fp32, settled_precision, units


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def ratio_is(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    monkeypatch.setattr(precision, "bf16_over_fp32", lambda *_: ratio)


@pytest.mark.parametrize(
    ("asked", "ratio", "taken", "said"),
    [
        ("auto", 0.7, "bf16", "precision=auto takes bf16: a step in bf16 takes 0.70 of the time"),
        ("auto", 11.3, "fp32", "precision=auto takes fp32: a step in bf16 takes 11.3 times as"),
        ("bf16", 11.3, "bf16", "warning: a step in bf16 takes 11.3 times as long as one in fp32"),
        ("bf16", 0.7, "bf16", None),
        ("bf16", 1.05, "bf16", None),
        ("fp32", 0.1, "fp32", None),
    ],
)
def test_the_faster_is_taken_and_the_slower_is_told(
    small_log: PreparedLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
    ratio: float,
    taken: str,
    said: str | None,
) -> None:
    ratio_is(monkeypatch, ratio)
    told = Lines()
    settings = small_settings("esmm", f"precision={asked}", "epochs=1")
    run = train(small_log, settings, tmp_path / "run", reporter=told)
    found = [line for line in told.lines if "bf16" in line]
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)
    info = read_json(run.folder / "run.json")
    assert info.get("precision", "fp32") == taken
    assert run.settings.training.precision == asked
    # What was taken is what was trained.
    plain = train(small_log, small_settings("esmm", "epochs=1"), tmp_path / "fp32")
    same = [torch.equal(a, b) for a, b in zip(weights(run), weights(plain), strict=True)]
    assert all(same) == (taken == "fp32")


def weights(run: object) -> list[torch.Tensor]:
    return list(run.load().state_dict().values())  # type: ignore[attr-defined]


def test_a_resumed_run_keeps_what_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "run.json"
    write_json(info, {"seed": 0})
    ratio_is(monkeypatch, 0.5)

    def settle() -> str:
        return settled_precision("auto", None, lambda: None, Step(), info, Silent())  # type: ignore[arg-type, return-value]

    assert settle() == "bf16"
    ratio_is(monkeypatch, 2.0)
    assert settle() == "bf16"
    assert read_json(info) == {"seed": 0, "bf16_over_fp32": 0.5, "precision": "bf16"}
    write_json(info, {**read_json(info), "precision": "fp8"})
    with pytest.raises(InputError, match=r"is damaged: its precision is 'fp8'"):
        settle()


@pytest.mark.parametrize("name", ["mmoe", "evi", "mrdr_gpl"])
def test_measuring_leaves_the_method_as_it_was(small_log: PreparedLog, name: str) -> None:
    settings = small_settings(name, "batch_norm=true")
    method = build_method(settings, small_log)
    method.eval()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    batch = next(iter(small_log.shuffled("train", 128, 0)))
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    phase = method.schedule(1)[0]
    method.begin(phase)
    assert bf16_over_fp32(method, batch, phase.steps[0]) > 0
    assert torch.equal(torch.rand(2), expected)
    assert not method.training
    assert all(parameter.grad is None for parameter in method.parameters())
    after = method.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_the_units_of_this_processor_are_named() -> None:
    assert set(units().split()) <= {"AVX2", "AVX-512", "AVX512-BF16", "AMX-BF16"}
