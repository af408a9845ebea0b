"""Workload B, "Ali-CCP-like": 23 categorical fields, 1.33 million embedding rows, Zipf 1.05 ids."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from postclick.data import manifest as m
from postclick.data.prepared import PreparedLog
from postclick.data.schema import LogSchema

FIELD_SIZES = (
    *(238635, 98, 14, 3, 8, 4, 4, 3, 5, 467298, 6929, 263942, 106399, 5888, 104830, 51878),
    *(37148, 4, 10000, 9000, 12000, 8000, 11000),
)
ZIPF = 1.05
SHARD_ROWS = 262_144


def write_workload(folder: Path, train: int, test: int, seed: int = 0) -> PreparedLog:
    """Write a prepared log of the workload's exact vocabulary sizes, with a planted signal.

    Every field contributes an effect per id to the click and to the conversion logit. The
    splits are train, valid (a twentieth of test) and test.
    """
    rng = np.random.default_rng(seed)
    names = [f"f{k:02d}" for k in range(len(FIELD_SIZES))]
    effects = [rng.normal(size=(2, size)) / np.sqrt(len(FIELD_SIZES)) for size in FIELD_SIZES]
    folder.mkdir(parents=True, exist_ok=True)
    splits = {}
    for split, rows in (("train", train), ("valid", max(test // 20, 1000)), ("test", test)):
        ids = np.stack([_zipf(rng, size, rows) for size in FIELD_SIZES], axis=1)
        signal = sum(effect[:, ids[:, k]] for k, effect in enumerate(effects))
        click = rng.random(rows) < 1 / (1 + np.exp(3.5 - 1.2 * signal[0]))
        conversion = click & (rng.random(rows) < 1 / (1 + np.exp(2.5 - 1.2 * signal[1])))
        shards = []
        for number, start in enumerate(range(0, rows, SHARD_ROWS)):
            part = slice(start, start + SHARD_ROWS)
            columns = {
                "click": click[part].astype(np.int8),
                "conversion": conversion[part].astype(np.int8),
                **{name: ids[part, k] for k, name in enumerate(names)},
            }
            file = f"{split}-{number:05d}.parquet"
            pq.write_table(pa.table(columns), folder / file, compression="lz4")
            digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
            shards.append(m.Shard(file=file, rows=len(columns["click"]), sha256=digest))
        splits[split] = m.Split(
            rows=rows,
            clicks=int(click.sum()),
            conversions=int(conversion.sum()),
            shards=tuple(shards),
        )
    schema = LogSchema.parse({"click": "click", "conversion": "conversion", "categorical": names})
    columns = tuple(m.IdColumn(name=n, size=s) for n, s in zip(names, FIELD_SIZES, strict=True))
    m.Manifest(
        format=m.FORMAT,
        log_schema=schema,
        seed=seed,
        ids=columns,
        numerics=(),
        bags=(),
        splits=splits,
        fingerprint=f"workload-b-{train}-{test}-{seed}",
    ).write(folder)
    return PreparedLog(folder)


def _zipf(rng: np.random.Generator, size: int, rows: int) -> np.ndarray:
    mass = np.cumsum(1 / np.arange(1, size + 1) ** ZIPF)
    ranks = np.searchsorted(mass, rng.random(rows) * mass[-1]).clip(max=size - 1)
    return rng.permutation(size).astype(np.int32)[ranks]
