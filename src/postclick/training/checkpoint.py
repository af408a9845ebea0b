"""Checkpoints: one file, replaced in one step, enough to go on as if nothing had happened."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from postclick.errors import InputError
from postclick.runs.tensor_file import check_tensors, write_tensors

# Changes with the names or the meaning of what is in a checkpoint.
FORMAT = "3"


@dataclass
class Position:
    """Where a run is.

    Attributes:
        phase, epoch: counted from 0; `epoch` over the whole run.
        step: batches done in this epoch.
        phase_steps: optimizer steps done in this phase.
        meter: the epoch's sums so far.
        best: the monitored metric at the best epoch, and which epoch that was.
        stale: epochs since then.
        finished: nothing is left to train.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    phase_steps: int = 0
    meter: dict[str, float] = field(default_factory=dict)
    meter_rows: int = 0
    best: float | None = None
    best_epoch: int | None = None
    stale: int = 0
    finished: bool = False


@dataclass
class Checkpoint:
    """Tensors by group (`model`, `best`, `optimizer`, `random`) and the position."""

    position: Position
    groups: dict[str, dict[str, Tensor]]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint in one step."""
    tensors = {
        f"{group}:{name}": tensor
        for group, named in checkpoint.groups.items()
        for name, tensor in named.items()
    }
    metadata = {"format": FORMAT, "position": json.dumps(asdict(checkpoint.position))}
    write_tensors(path, tensors, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; `InputError` if it is damaged or of another version of postclick."""
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            if "position" in metadata and metadata.get("format") != FORMAT:
                raise InputError(
                    f"checkpoint {path} is of another version of postclick: go on with that one, "
                    "or remove the folder to train from the start"
                )
            check_tensors(path)
            position = Position(**json.loads(metadata["position"]))
            for full in file.keys():  # noqa: SIM118 - not a mapping
                group, _, name = full.partition(":")
                groups.setdefault(group, {})[name] = file.get_tensor(full)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"checkpoint {path} is damaged ({error}): remove its folder to train from the start"
        ) from None
    return Checkpoint(position, groups)


def random_state() -> dict[str, Tensor]:
    """State of the generators that dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state |= {f"cuda{k}": s for k, s in enumerate(torch.cuda.get_rng_state_all())}
    return state


def set_random_state(state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    cuda = [state[name] for name in sorted(state) if name.startswith("cuda")]
    if cuda and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(cuda)
