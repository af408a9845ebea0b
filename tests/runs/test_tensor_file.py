"""Files written tensor by tensor are what the safetensors library reads, and writes."""

import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from postclick.errors import InputError
from postclick.runs.tensor_file import check_tensors, write_tensors

TENSORS = {
    "plain": torch.randn(3, 5),
    "strided": torch.randn(4, 6)[:, ::2],
    "empty": torch.empty(0, 7),
    "scalar": torch.tensor(3.5, dtype=torch.float64),
    "whole": torch.arange(7),
    "small": torch.tensor([1, -2, 3], dtype=torch.int32),
    "bytes": torch.tensor([1, 255], dtype=torch.uint8),
    "half": torch.randn(3).bfloat16(),
    "yes": torch.tensor([True, False]),
}


def test_the_library_reads_what_was_written(tmp_path: Path) -> None:
    write_tensors(tmp_path / "t", TENSORS, {"position": "12"})
    found = load_file(tmp_path / "t")
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].dtype == tensor.dtype
    with safe_open(tmp_path / "t", framework="pt") as file:
        assert file.metadata()["position"] == "12"
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_it_holds_the_same_as_the_library_s_file(tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in TENSORS.items()}
    save_file(tensors, tmp_path / "theirs")
    write_tensors(tmp_path / "mine", TENSORS)
    theirs, mine = load_file(tmp_path / "theirs"), load_file(tmp_path / "mine")
    assert all(torch.equal(theirs[name], mine[name]) for name in theirs)


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tensors(tmp_path / "t", {"a": torch.ones(2)})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_tensors(tmp_path / "t", {"a": torch.zeros(2)})
    assert torch.equal(load_file(tmp_path / "t")["a"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_whatever_changes_in_a_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write_tensors(path, TENSORS, {"position": "12"})
    check_tensors(path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((ValueError, LookupError)):
            check_tensors(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="its sha256 differs"):
        check_tensors(path)
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="it has no sha256"):
        check_tensors(path)
    for header in (b"[]", b"null", b'{"__metadata__":"x"}'):
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(ValueError, match="it has no sha256"):
            check_tensors(path)
