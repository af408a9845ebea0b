"""TensorBoard: what stands in the event files."""

from pathlib import Path

import pytest

from helpers.runs import SMALL, small_settings
from postclick.data.prepared import PreparedLog
from postclick.errors import RunFailedError
from postclick.reporting.compare import compare
from postclick.training.loop import TrainingLoop
from postclick.training.train import train

reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    """Steps and values as TensorBoard shows them."""
    events = reader.EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_a_run_is_tracked(small_log: PreparedLog, tmp_path: Path) -> None:
    where = tmp_path / "events"
    settings = small_settings("naive")
    run = train(small_log, settings, tmp_path / "run", track=[f"tensorboard:{where}"])
    for name, keys in (("loss", ["loss"]), ("valid/cvr_nll", ["valid", "cvr_nll"])):
        values = [
            record[keys[0]] if len(keys) == 1 else record[keys[0]][keys[1]]
            for record in run.history
        ]
        found = scalars(where / "run", name)
        assert [step for step, _ in found] == [1, 2]
        assert [value for _, value in found] == pytest.approx(values, rel=1e-6)
    events = reader.EventAccumulator(str(where / "run"))
    events.Reload()
    (text,) = events.Tensors("settings/text_summary")
    assert b"method: naive" in text.tensor_proto.string_val[0]


def test_a_resumed_run_has_every_epoch_once(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also an epoch that was tracked before its checkpoint was written."""
    where, save = tmp_path / "events", TrainingLoop._save
    track = [f"tensorboard:{where}"]

    def killed(self: TrainingLoop) -> None:
        if self.position.epoch == 2:
            raise KeyboardInterrupt
        save(self)

    monkeypatch.setattr(TrainingLoop, "_save", killed)
    settings = small_settings("naive", "epochs=3")
    with pytest.raises(KeyboardInterrupt):
        train(small_log, settings, tmp_path / "run", track=track)
    assert [step for step, _ in scalars(where / "run", "loss")] == [1, 2]
    monkeypatch.setattr(TrainingLoop, "_save", save)
    run = train(small_log, settings, tmp_path / "run", track=track)
    found = scalars(where / "run", "loss")
    assert [step for step, _ in found] == [1, 2, 3]
    assert [v for _, v in found] == pytest.approx([r["loss"] for r in run.history], rel=1e-6)


def test_runs_of_the_same_name_do_not_mix(small_log: PreparedLog, tmp_path: Path) -> None:
    where = tmp_path / "events"
    settings = small_settings("naive", "epochs=1")
    for parent in ("a", "b"):
        train(small_log, settings, tmp_path / parent / "run", track=[f"tensorboard:{where}"])
    assert {folder.name for folder in where.iterdir()} == {"run", "run-2"}


def test_a_diverged_run_closes_its_file(small_log: PreparedLog, tmp_path: Path) -> None:
    settings = small_settings("naive", "lr=1e9")
    with pytest.raises(RunFailedError):
        train(small_log, settings, tmp_path / "run", track=[f"tensorboard:{tmp_path}/events"])
    events = reader.EventAccumulator(str(tmp_path / "events" / "run"))
    events.Reload()
    assert "failed/text_summary" in events.Tags()["tensors"]


def test_a_comparison_has_a_folder_with_one_for_each_run(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    where, sets = tmp_path / "events", [*SMALL, "epochs=1"]
    for methods in ("choruscvr/no_sam", "choruscvr/no_sam,naive"):
        compare(
            small_log, methods, tmp_path / "versus", seeds=1, trials=0, workers=1,
            overrides=sets, track=[f"tensorboard:{where}"],
        )  # fmt: skip
    found = {str(path.parent.relative_to(where)) for path in where.rglob("events*")}
    assert found == {"versus/choruscvr+no_sam seed 0", "versus/naive seed 0"}
