"""The log as every peer's script reads it, and the scores as each writes them.

Needs numpy and pyarrow alone, so that a peer may live in an environment of its own. `encode.py`
writes the log; test labels are not in it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# One network for all peers that have one: embeddings of 16, two towers, Adam, batches of 512.
DIM, TOWER, LEARNING_RATE, BATCH, SCORING_BATCH = 16, (128, 64, 32), 1e-3, 512, 8192
# Passes or trees at the most, and how many of them validation may see no gain in.
EPOCHS, EPOCHS_WITHOUT_GAIN = 20, 2
TREES, TREES_WITHOUT_GAIN = 1000, 30
SIZES = "sizes.json"


@dataclass(frozen=True)
class PlainSplit:
    """Columns [rows] each: ids and bins are int64 counted from 0, numbers float32."""

    ids: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    bins: dict[str, np.ndarray]
    click: np.ndarray | None
    conversion: np.ndarray | None

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Ids and numbers: what a library that takes numbers is given."""
        return {**self.ids, **self.numbers}

    @property
    def ids_and_bins(self) -> dict[str, np.ndarray]:
        """Ids alone: what a library without a place for numbers is given."""
        return {**self.ids, **self.bins}

    @property
    def labels(self) -> np.ndarray:
        """Click and recorded conversion, float32 [rows, 2]; the split must have them."""
        if self.click is None or self.conversion is None:
            raise ValueError("this split has no labels: test labels are not handed to peers")
        return np.stack([self.click, self.conversion], axis=1).astype(np.float32)


@dataclass(frozen=True)
class PlainLog:
    """Three splits, and how many ids each id column and each binned number has."""

    sizes: dict[str, int]
    bin_sizes: dict[str, int]
    train: PlainSplit
    valid: PlainSplit
    test: PlainSplit

    @classmethod
    def read(cls, folder: Path) -> "PlainLog":
        described = json.loads((folder / SIZES).read_text(encoding="utf-8"))
        sizes, bin_sizes, numbers = (described[key] for key in ("ids", "bins", "numbers"))

        def split(name: str) -> PlainSplit:
            table = pq.read_table(folder / f"{name}.parquet")

            def taken(columns: Any, dtype: Any) -> dict[str, np.ndarray]:
                return {c: table[c].to_numpy().astype(dtype) for c in columns}

            labels = taken({"click", "conversion"} & set(table.column_names), np.int8)
            return PlainSplit(
                taken(sizes, np.int64),
                taken(numbers, np.float32),
                taken(bin_sizes, np.int64),
                labels.get("click"),
                labels.get("conversion"),
            )

        return cls(sizes, bin_sizes, split("train"), split("valid"), split("test"))


class Scores(NamedTuple):
    """pCTR and pCVR of the test rows, in their order, and after how many passes or trees."""

    pctr: np.ndarray
    pcvr: np.ndarray
    rounds: str


def pcvr_from_ctcvr(pctr: np.ndarray, pctcvr: np.ndarray) -> np.ndarray:
    """pCVR [rows] of a model that gives pCTR and the product of the two."""
    pctr, pctcvr = np.asarray(pctr, np.float64), np.asarray(pctcvr, np.float64)
    return np.divide(pctcvr, pctr, out=np.zeros_like(pctr), where=pctr > 0).clip(0, 1)


class Settings(NamedTuple):
    """`decay` is None for the library's own; in `scratch` it may write what it wants to."""

    seed: int
    decay: float | None
    scratch: Path


def adam(model: Any, own_decay: float, decay: float | None) -> Any:
    """Adam over a network's weights.

    With `decay`, that is the coupled decay of the embeddings, and other weights have none, as in
    postclick; without, all have the library's own default.
    """
    import torch

    if decay is None:
        return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, weight_decay=own_decay)
    tables = {n for n, _ in model.named_parameters() if n.split(".")[0].startswith("embedding")}
    parts = [
        {"params": [p for n, p in model.named_parameters() if (n in tables) == inside]}
        | {"weight_decay": decay if inside else 0.0}
        for inside in (True, False)
    ]
    return torch.optim.Adam(parts, lr=LEARNING_RATE)


def run(package: str, fit: Callable[[PlainLog, Settings], Scores]) -> None:
    """A peer's script: `LOG OUT [--seed 0] [--decay D]`, scores to OUT, JSON as the last line.

    A package that is not installed is said there, as `left_out`.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("log", type=Path, help="Folder that encode.py wrote.")
    parser.add_argument("out", type=Path, help="Parquet file to write.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decay", type=float, help="Of embeddings; the library's own without.")
    arguments = parser.parse_args()
    scratch = arguments.out.with_suffix("")
    scratch.mkdir(parents=True, exist_ok=True)
    log = PlainLog.read(arguments.log)
    try:
        scores = fit(log, Settings(arguments.seed, arguments.decay, scratch))
    except ImportError as error:
        print("\n" + json.dumps({"left_out": str(error).splitlines()[0]}))
        return
    columns = {"pctr": scores.pctr, "pcvr": scores.pcvr}
    pq.write_table(
        pa.table({k: np.asarray(v, np.float64) for k, v in columns.items()}), arguments.out
    )
    said = {"package": f"{package} {version(package)}", "rounds": scores.rounds}
    print("\n" + json.dumps(said))
