"""Settings of runs that take a second on the small log."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from postclick.methods import find_method
from postclick.runs.overrides import read_by
from postclick.runs.settings import RunSettings

SMALL = (
    "tower=[16,8]",
    "embedding_dim=4",
    "backbone=share_bottom",
    "batch_size=512",
    "epochs=2",
    "lr=0.01",
    "threads=1",
)
# Half as long, where only what is made of a run counts.
FAST = (*SMALL, "epochs=1")


def overrides(method: str, *changes: str) -> list[str]:
    """Overrides that make a run of `method` small, then `changes`."""
    own = ("transfer_layers=2",) if method.startswith("evi") else ()
    return [*read_by(find_method(method)[0], [*SMALL, *own]), *changes]


def small_settings(method: str, *changes: str, seed: int = 0) -> RunSettings:
    """Settings of a small run; later changes win."""
    return RunSettings.make(method, overrides=overrides(method, *changes), seed=seed)


def saved_weights(run: Path) -> dict[str, Tensor]:
    """The weights in a run folder."""
    weights: dict[str, Tensor] = load_file(run / "model.safetensors")
    return weights


def largest_difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Over all tensors of two models; they must have the same names."""
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a if a[name].numel())


def identical(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two models are the same to the last bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
