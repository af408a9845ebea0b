"""The workloads that the benchmarks share, and how they train a side and print what it took.

Workload A, "AliExpress-like": 16 categorical fields, 250,393 embedding rows, 63 numerics.
Workload B, "Ali-CCP-like": 23 categorical fields, 1.33 million embedding rows.
Ids are Zipf 1.05, numerics standard normal.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from postclick import Run, RunSettings, train
from postclick.data import manifest as m
from postclick.data.prepared import PreparedLog
from postclick.data.schema import LogSchema

SIZES_A = (8, 4, 7, 2, 19, 7, 50, 96, 1200, 3500, 8000, 10000, 2500, 5000, 100000, 120000)
FIELD_SIZES = (
    *(238635, 98, 14, 3, 8, 4, 4, 3, 5, 467298, 6929, 263942, 106399, 5888, 104830, 51878),
    *(37148, 4, 10000, 9000, 12000, 8000, 11000),
)
ZIPF = 1.05
SHARD_ROWS = 262_144
# One pass over all rows, all weights with the same decay, as peers do it.
ONE_PASS = ("epochs=1", "patience=null", "weight_decay=1e-5", "network_decay=null")


@dataclass(frozen=True)
class Workload:
    """Sizes of a log's fields, and the names of its columns."""

    name: str
    sizes: tuple[int, ...]
    numerics: int = 0

    @property
    def fields(self) -> list[str]:
        return [f"f{k:02d}" for k in range(len(self.sizes))]

    @property
    def numbers(self) -> list[str]:
        return [f"n{k:02d}" for k in range(self.numerics)]

    @property
    def schema(self) -> LogSchema:
        labels = {"click": m.CLICK, "conversion": m.CONVERSION}
        return LogSchema.parse({**labels, "categorical": self.fields, "numeric": self.numbers})

    def effects(self, rng: np.random.Generator) -> list[np.ndarray]:
        """What each id, and each number's unit, adds to the click and the conversion logit."""
        scale = np.sqrt(len(self.sizes) + self.numerics)
        of_ids = [rng.normal(size=(2, size)) / scale for size in self.sizes]
        return [*of_ids, rng.normal(size=(2, self.numerics)) / scale]

    def draw(
        self, rng: np.random.Generator, effects: Sequence[np.ndarray], rows: int
    ) -> dict[str, np.ndarray]:
        """Columns of `rows` impressions."""
        ids = [zipf_ids(rng, size, rows) for size in self.sizes]
        numbers = rng.standard_normal((self.numerics, rows), dtype=np.float32)
        signal = sum(e[:, i] for e, i in zip(effects[:-1], ids, strict=True))
        signal = signal + effects[-1] @ numbers
        click = rng.random(rows) < 1 / (1 + np.exp(3.5 - 1.2 * signal[0]))
        conversion = click & (rng.random(rows) < 1 / (1 + np.exp(2.5 - 1.2 * signal[1])))
        return {
            m.CLICK: click.astype(np.int8),
            m.CONVERSION: conversion.astype(np.int8),
            **dict(zip(self.fields, ids, strict=True)),
            **dict(zip(self.numbers, numbers, strict=True)),
        }


WORKLOAD_A = Workload("a", SIZES_A, 63)
WORKLOAD_B = Workload("b", FIELD_SIZES)


def write_workload(folder: Path, train: int, test: int, seed: int = 0) -> PreparedLog:
    """Write workload B as a prepared log; see `write_log`."""
    return write_log(WORKLOAD_B, folder, train, test, seed)


def write_workload_a(folder: Path, train: int, test: int, seed: int = 0) -> PreparedLog:
    """Write workload A as a prepared log; see `write_log`."""
    return write_log(WORKLOAD_A, folder, train, test, seed)


def write_log(
    workload: Workload,
    folder: Path,
    train: int,
    test: int,
    seed: int = 0,
    shard_rows: int = SHARD_ROWS,
) -> PreparedLog:
    """Write a prepared log of the workload's exact vocabulary sizes, with a planted signal.

    Every field contributes an effect per id to the click and to the conversion logit, and every
    number one in proportion. The splits are train, valid (a twentieth of test) and test.
    """
    rng = np.random.default_rng(seed)
    effects = workload.effects(rng)
    folder.mkdir(parents=True, exist_ok=True)
    splits = {}
    for split, rows in (("train", train), ("valid", max(test // 20, 1000)), ("test", test)):
        columns = workload.draw(rng, effects, rows)
        splits[split] = m.Split(
            rows=rows,
            clicks=int(columns[m.CLICK].sum()),
            conversions=int(columns[m.CONVERSION].sum()),
            shards=tuple(_shards(columns, folder, split, shard_rows)),
        )
    m.Manifest(
        format=m.FORMAT,
        log_schema=workload.schema,
        seed=seed,
        ids=tuple(
            m.IdColumn(name=name, size=size)
            for name, size in zip(workload.fields, workload.sizes, strict=True)
        ),
        numerics=tuple(
            m.NumericColumn(name=name, source=name, transform="standardize")
            for name in workload.numbers
        ),
        bags=(),
        splits=splits,
        fingerprint=f"workload-{workload.name}-{train}-{test}-{seed}",
    ).write(folder)
    return PreparedLog(folder)


def _shards(
    columns: Mapping[str, np.ndarray], folder: Path, split: str, shard_rows: int
) -> list[m.Shard]:
    shards = []
    table = pa.table(dict(columns))
    for number, start in enumerate(range(0, table.num_rows, shard_rows)):
        part, file = table.slice(start, shard_rows), f"{split}-{number:05d}.parquet"
        pq.write_table(part, folder / file, compression="lz4")
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        shards.append(m.Shard(file=file, rows=part.num_rows, sha256=digest))
    return shards


def zipf_ids(rng: np.random.Generator, size: int, rows: int) -> np.ndarray:
    """Ids [rows] below `size`, int32, common ones scattered among the others."""
    mass = np.cumsum(1 / np.arange(1, size + 1) ** ZIPF)
    ranks = np.searchsorted(mass, rng.random(rows) * mass[-1]).clip(max=size - 1)
    return rng.permutation(size).astype(np.int32)[ranks]


def train_run(log: PreparedLog, out: Path, method: str, *sets: str, seed: int = 0) -> Run:
    """Train `method` through the public API; later settings win over earlier ones."""
    return train(log, RunSettings.make(method, overrides=sets, seed=seed), out)


def seconds_per_row(run: Run, log: PreparedLog) -> float:
    """Training time of all phases, preparing ones included, over the rows of one pass.

    From the rates in history.jsonl: the whole loop, loader, bookkeeping and the catch-up of the
    table at an epoch's end included, validation and checkpoint left out.
    """
    rows = log.split("train").rows
    return sum(rows / record["rows_per_second"] for record in run.history) / rows


def child(script: str, *arguments: object) -> Any:
    """What `script`, run in a process of its own, prints as JSON."""
    command = [sys.executable, script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def print_table(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """One line for each entry; all have the same columns."""
    shown = {name: [_shown(value) for value in row.values()] for name, row in rows.items()}
    lines = [["", *next(iter(rows.values()))], *([name, *cells] for name, cells in shown.items())]
    first, *widths = (max(map(len, column)) + 2 for column in zip(*lines, strict=True))
    for name, *cells in lines:
        padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        print(f"{name:<{first}}" + "".join(padded))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
