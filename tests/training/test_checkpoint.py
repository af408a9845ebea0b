"""Checkpoints: what goes in comes out, damage is one line, dropout goes on where it was."""

from pathlib import Path

import pytest
import torch

from postclick.errors import InputError
from postclick.training import checkpoint
from postclick.training.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)

POSITION = Position(
    phase=1,
    epoch=3,
    step=17,
    phase_steps=42,
    meter={"term/ctr": 0.1 + 0.2, "weight2": 1e300},
    meter_rows=4352,
    best=0.123456789012345678,
    best_epoch=2,
    stale=1,
)


def some_checkpoint() -> Checkpoint:
    table = torch.randn(50, 4)
    return Checkpoint(
        POSITION,
        {
            "model": {
                "embedding.table": table,
                "net.view": table[::2, 1:3],
                "net.x": torch.ones(()),
            },
            "best": {},
            "optimizer": {"lazy/last/embedding.table": torch.arange(50, dtype=torch.int32)},
            "random": random_state(),
        },
    )


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    saved = some_checkpoint()
    save_checkpoint(path, saved)
    loaded = load_checkpoint(path)
    assert loaded.position == POSITION
    assert set(loaded.groups) == {"model", "optimizer", "random"}, "an empty group is no group"
    for group, tensors in loaded.groups.items():
        assert tensors.keys() == saved.groups[group].keys()
        for name, tensor in tensors.items():
            assert tensor.dtype == saved.groups[group][name].dtype
            assert torch.equal(tensor, saved.groups[group][name])


def test_saving_again_replaces(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, some_checkpoint())
    save_checkpoint(path, Checkpoint(Position(finished=True), {"model": {"a": torch.zeros(1)}}))
    assert load_checkpoint(path).position == Position(finished=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "header", "no position", "missing"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, some_checkpoint())
    content = path.read_bytes()
    if damage == "no position":
        from safetensors.torch import save

        content = save({"model:a": torch.zeros(1)})
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "text": b"not a checkpoint",
            "header": content[:8] + b"}" + content[9:],
        }.get(damage, content)
    )
    if damage == "missing":
        path.unlink()
    with pytest.raises(
        InputError, match=r"checkpoint .* is damaged .*train from the start"
    ) as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    monkeypatch.setattr(checkpoint, "FORMAT", "0")
    save_checkpoint(path, some_checkpoint())
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"checkpoint\.safetensors is of another version"):
        load_checkpoint(path)


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    torch.manual_seed(3)
    torch.rand(10)
    save_checkpoint(path, Checkpoint(Position(), {"random": random_state()}))
    expected = torch.nn.functional.dropout(torch.ones(100), 0.3)
    torch.manual_seed(99)
    set_random_state(load_checkpoint(path).groups["random"])
    assert torch.equal(torch.nn.functional.dropout(torch.ones(100), 0.3), expected)
