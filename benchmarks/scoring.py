"""Scoring a log beside ONNX Runtime's own limit, and a request of 500 candidates.

    python benchmarks/scoring.py [--rows 1000000] [--rounds 3] [--threads 2] [--ids dense wide text]

Workload B with its exact vocabularies and ESMM. `score` is the command: Parquet in, Parquet out.
`model` is ONNX Runtime alone on arrays that are already encoded, `encode` the way from frames to
those arrays, `read` the reading of the Parquet file. They take turns on the same threads; ratios
are medians over rounds. Ids are integers that count from 0 (dense), any 64-bit integers (wide), or
text. CPU microseconds a row do not depend on who else uses the machine's cores. A request is 500
candidates on one thread, in milliseconds: with every column of their own (`rows`), with a third of
the columns given once (`candidates`), and with a bundle that was exported with those as the user's
features (`apart`), of which ONNX Runtime alone is `network`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from postclick import Bundle, export, score
from postclick.data.encode.vocabulary import Vocabulary
from postclick.data.manifest import VOCABULARIES
from postclick.data.read.opening import open_log
from postclick.serving.bundle.bundle_files import MODEL
from postclick.serving.bundle.onnx_model import OnnxModel
from postclick.serving.score_log import PIECE_ROWS
from workload import ONE_PASS, WORKLOAD_B, print_table, train_run, write_workload

CANDIDATES, REQUESTS = 500, 200
USER_FIELDS = 8
KINDS = ("dense", "wide", "text")


def raw_values(ids: np.ndarray, kind: str) -> pl.Series:
    """What a log says in the place of prepared ids."""
    if kind == "dense":
        return pl.Series(ids.astype(np.int64))
    # Odd multipliers are bijections modulo 2^64: no two ids become the same.
    mixed = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    wide = pl.Series(mixed.view(np.int64))
    return wide if kind == "wide" else "u" + wide.cast(pl.String)


def make_bundle(folder: Path, kind: str, user_features: Sequence[str] = ()) -> Path:
    """`bundle`, beside its `run`, of workload B, whose vocabularies have every id but 0."""
    log = write_workload(folder / "data", train=20_000, test=20_000)
    (folder / "data" / VOCABULARIES).mkdir()
    for name, size in zip(WORKLOAD_B.fields, WORKLOAD_B.sizes, strict=True):
        ids = np.arange(1, size, dtype=np.int32)
        values = raw_values(ids, kind).cast(pl.String)
        table = pl.DataFrame({"value": values, "id": ids, "count": np.ones(len(ids), np.int64)})
        Vocabulary(table).save(folder / "data" / VOCABULARIES, name)
    run = train_run(log, folder / "run", "esmm", *ONE_PASS, "batch_size=4096")
    return export(run, folder / "bundle", user_features=user_features).folder


def write_raw(path: Path, kind: str, rows: int) -> None:
    rng = np.random.default_rng(1)
    drawn = WORKLOAD_B.draw(rng, WORKLOAD_B.effects(rng), rows)
    columns = {name: raw_values(drawn[name], kind) for name in WORKLOAD_B.fields}
    pl.DataFrame(columns).write_parquet(path, compression="lz4", row_group_size=262_144)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds, and CPU seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(folder: Path, kind: str, rows: int, rounds: int, threads: int) -> dict[str, Any]:
    bundle_folder, raw = make_bundle(folder, kind), folder / "raw.parquet"
    write_raw(raw, kind, rows)
    bundle = Bundle.open(bundle_folder, threads=1)
    model = OnnxModel(bundle_folder / MODEL, threads)
    frame = pl.read_parquet(raw)
    encoded = bundle.encode(frame)
    pieces = list(frame.iter_slices(PIECE_ROWS))

    def encode() -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(bundle.encode, pieces):
                pass

    def read() -> None:
        for _ in open_log(raw).frames(WORKLOAD_B.fields):
            pass

    sides: dict[str, Callable[[], Any]] = {
        "score": lambda: score(bundle, raw, folder / "scores.parquet", threads=threads),
        "model": lambda: model.run(encoded),
        "encode": encode,
        "read": read,
    }
    taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    sides["score"]()  # builds the tables of ids, and brings files into the system's cache
    for _ in range(rounds):
        for side, work in sides.items():
            taken[side].append(timed(work))
    limit = [seconds for seconds, _ in taken["model"]]
    return {
        side: {
            "rows_per_s": round(rows / median(wall for wall, _ in times)),
            "cpu_us_per_row": round(1e6 * median(cpu for _, cpu in times) / rows, 3),
            "over_model": round(
                median(wall / alone for (wall, _), alone in zip(times, limit, strict=True)), 3
            ),
        }
        for side, times in taken.items()
    } | {"request": request(folder / "run", folder / "apart", frame.head(CANDIDATES))}


def request(run: Path, out: Path, frame: pl.DataFrame) -> dict[str, float]:
    """Median and 99th percentile of each kind of request."""
    theirs = WORKLOAD_B.fields[:USER_FIELDS]
    user, candidates = frame.select(theirs).head(1), frame.drop(theirs)
    export(run, out, user_features=theirs)
    whole, apart = Bundle.open(run.parent / "bundle", threads=1), Bundle.open(out, threads=1)
    model = OnnxModel(out / MODEL, user_features=theirs)
    of_user = apart.encode(user, theirs)
    own = apart.encode(candidates, WORKLOAD_B.fields[USER_FIELDS:])
    works: dict[str, Callable[[], Any]] = {
        "encode": lambda: whole.encode(frame),
        "rows": lambda: whole.score(frame),
        "candidates": lambda: whole.score_candidates(user, candidates),
        "apart": lambda: apart.score_candidates(user, candidates),
        "network": lambda: model.run(own, of_user),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REQUESTS):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(1e3 * (time.perf_counter() - began))
    found = {}
    for name, taken in times.items():
        found[f"{name}_p50"] = round(median(taken), 3)
        found[f"{name}_p99"] = round(float(np.percentile(taken, 99)), 3)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Scoring beside ONNX Runtime's own limit.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--ids", nargs="+", choices=KINDS, default=list(KINDS))
    arguments = parser.parse_args()
    found = {}
    for kind in arguments.ids:
        with tempfile.TemporaryDirectory() as folder:
            rows, rounds = arguments.rows, arguments.rounds
            found[kind] = measure(Path(folder), kind, rows, rounds, arguments.threads)
    print_table(
        {
            f"{kind}, {side}": row
            for kind, sides in found.items()
            for side, row in sides.items()
            if side != "request"
        }
    )
    print_table(
        {
            f"{kind}, {point}": {
                name.removesuffix(f"_{point}"): taken
                for name, taken in sides["request"].items()
                if name.endswith(point)
            }
            for kind, sides in found.items()
            for point in ("p50", "p99")
        }
    )
    print(json.dumps({"rows": arguments.rows, "threads": arguments.threads, "ids": found}))


if __name__ == "__main__":
    main()
