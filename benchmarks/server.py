"""`postclick serve` under open-loop load: 500 candidates a request over Arrow.

    python benchmarks/server.py [--schema aliexpress] [--soak SECONDS]
    python benchmarks/server.py --bundle BUNDLE --log LOG --user age,city [--soak SECONDS]

Without a bundle it is ESMM on workload B (23 categories, 8 of them the user's), or, with `--schema
aliexpress`, on a simulated log with 16 categories and 63 numbers, 40 of them the user's. The server
is a process of its own with one model thread; one client process keeps its connections. Capacity is
the rate at which answers come with four requests under way at all times; then requests arrive at
25, 50 and 80 % of it with exponential gaps, and at 50 % evenly, which is a steady load: what the
limits are for. A request's time counts from when it was due. The
time of the model call is the server's own (`Server-Timing`); `cpu_ms` is what the server computed
for one request, which other work on the machine changes least. `--soak` adds a long run at 80 %.
"""

import argparse
import asyncio
import io
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from server_client import Client, Tally
from workload import child, print_table

ARROW = "application/vnd.apache.arrow.stream"
STEADY = "50 %, steady"
LOADS = {"25 %": 0.25, "50 %": 0.5, "80 %": 0.8, STEADY: 0.5}
TOGETHER, BODIES = 4, 40
MODEL_MS, REQUEST_MS = 2.0, 8.0


def make(folder: Path, schema: str, rows: int) -> dict[str, Any]:
    """A bundle and a log to ask about, in a process of its own: torch stays out of the client."""
    if schema == "B":
        from scoring import USER_FIELDS, make_bundle, write_raw
        from workload import WORKLOAD_B

        user = list(WORKLOAD_B.fields[:USER_FIELDS])
        make_bundle(folder, "dense", user)
        write_raw(folder / "log.parquet", "dense", rows)
        return {"user": user}
    from postclick import RunSettings, prepare, simulate, train
    from postclick.data.read.log_source import FrameSource
    from postclick.data.splits import LogSplits
    from postclick.datasets.simulated.layouts.aliexpress_like import USER_LEVELS, USER_NUMBERS
    from postclick.serving.bundle.export import export

    raw = simulate("aliexpress_like", rows=rows, seed=0, ctr=0.2, cvr=0.2)
    splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    log = prepare(splits, folder / "data")
    settings = RunSettings.make("esmm", overrides=["epochs=1"], seed=0)
    user = [*USER_LEVELS, *USER_NUMBERS]
    export(train(log, settings, folder / "run"), folder / "bundle", user_features=user)
    raw.test.write_parquet(folder / "log.parquet")
    return {"user": user}


@contextmanager
def served(bundle: Path, workers: int) -> Iterator[int]:
    """The port of a server."""
    command = [sys.executable, "-m", "postclick", "serve", str(bundle), "--port", "0"]
    command += ["--workers", str(workers), "--timeout", "10"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+) ", line)
        if found is None:
            raise SystemExit(f"the server did not start: {line}{server.stderr.read()}")
        try:
            yield int(found[1])
        finally:
            server.terminate()


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        text: str = answer.read().decode()
    return text


def process(port: int) -> tuple[float, float]:
    """Resident megabytes and CPU seconds of the server."""
    text = get(port, "/metrics")
    names = ("process_resident_memory_bytes", "process_cpu_seconds_total")
    found = [re.search(rf"^{name} (\S+)$", text, flags=re.M) for name in names]
    resident, cpu = (float(match[1]) for match in found if match is not None)
    return resident / 1e6, cpu


def bodies(log: pl.DataFrame, user: Sequence[str], candidates: int) -> list[bytes]:
    """Requests about rows of a log, each with the user of its first one."""
    rng, made = np.random.default_rng(0), []
    for _ in range(BODIES):
        rows = log[rng.integers(0, log.height, candidates)]
        body = io.BytesIO()
        if user:
            rows[:1].select(user).write_ipc_stream(body)
        rows.drop(user).write_ipc_stream(body)
        made.append(body.getvalue())
    return made


def row_of(
    tally: Tally, before: tuple[float, float], after: tuple[float, float], rate: float
) -> dict[str, Any]:
    """What is printed of one load; `before` and `after` are of `process`."""

    def ms(values: list[float], percent: float) -> float | None:
        return round(1e3 * float(np.percentile(values, percent)), 3) if values else None

    requests = len(tally.seconds) + sum(tally.errors.values())
    return {
        "rate_per_s": round(rate, 1),
        "requests": requests,
        "p50_ms": ms(tally.seconds, 50),
        "p99_ms": ms(tally.seconds, 99),
        "model_p50_ms": ms(tally.model, 50),
        "model_p99_ms": ms(tally.model, 99),
        "client_lag_p99_ms": ms(tally.lag, 99),
        "cpu_ms": round(1e3 * (after[1] - before[1]) / max(requests, 1), 2),
        "errors": ", ".join(f"{n} {what}" for what, n in tally.errors.items()) or 0,
        "start_mb": round(before[0], 1),
        "end_mb": round(after[0], 1),
    }


async def measure(
    port: int, sent: Sequence[bytes], media: str, seconds: float, soak: float
) -> tuple[dict[str, dict[str, Any]], float]:
    """A row for each load, and the capacity in requests a second."""
    client = Client(port, sent, media)
    await client.saturate(min(seconds, 2.0), TOGETHER)  # pages, caches, frequencies
    start = process(port)
    capacity, tally = await client.saturate(seconds, TOGETHER)
    rows = {"capacity": row_of(tally, start, process(port), capacity)}
    loads = [(name, share, seconds) for name, share in LOADS.items()]
    loads += [("soak 80 %", 0.8, soak)] if soak else []
    for seed, (name, share, length) in enumerate(loads):
        start = process(port)
        tally = await client.arrive(share * capacity, length, seed, even=name == STEADY)
        rows[name] = row_of(tally, start, process(port), share * capacity)
    client.close()
    return rows, capacity


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="with --log, a Parquet file of raw rows")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--user", default="", help="the user's columns, comma-separated")
    parser.add_argument("--candidates", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--schema", choices=["B", "aliexpress"], default="B")
    parser.add_argument("--rows", type=int, default=40_000, help="of the log that is made")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        print(json.dumps(make(given.make, given.schema, given.rows)))
        return
    if (given.bundle is None) != (given.log is None):
        parser.error("--bundle and --log go together")
    with tempfile.TemporaryDirectory() as scratch:
        bundle, log = given.bundle, given.log
        user = [name for name in given.user.split(",") if name]
        if bundle is None:
            more = ["--schema", given.schema, "--rows", given.rows]
            user = child(__file__, "--make", scratch, *more)["user"]
            bundle, log = Path(scratch) / "bundle", Path(scratch) / "log.parquet"
        with served(bundle, given.workers) as port:
            features = json.loads(get(port, "/ready"))["features"]
            frame = pl.read_parquet(log).select(features)
            sent = bodies(frame, user, given.candidates)
            run = measure(port, sent, ARROW, given.seconds, given.soak)
            rows, capacity = asyncio.run(run)
    print_table(rows)
    steady = rows[STEADY]
    met = {
        f"model_p99_below_{MODEL_MS:g}_ms": (steady["model_p99_ms"] or np.inf) < MODEL_MS,
        f"request_p99_below_{REQUEST_MS:g}_ms": (steady["p99_ms"] or np.inf) < REQUEST_MS,
    }
    print(f"at a steady half of the capacity: {met}")
    about = {"candidates": given.candidates, "workers": given.workers, "body_bytes": len(sent[0])}
    print(json.dumps({**about, "capacity_per_s": round(capacity, 1), "loads": rows, "met": met}))


if __name__ == "__main__":
    main()
