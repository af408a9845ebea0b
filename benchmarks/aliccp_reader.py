"""Speed and memory of the raw Ali-CCP reader on generated files.

    python benchmarks/aliccp_reader.py [--rows 500000 1000000 2000000] [--presets standard all]

Writes a skeleton of about 13 tokens per row and a common file of about 518 tokens per row, one
common row per 57 impressions, as in the published log; reads every column of every frame. Each
case runs in a process of its own so that the peak memory is that case's, and so does the
generator: a process inherits the peak of the one that starts it. The files hold random ids: the
figures say nothing of the published log's content.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from peak_memory import peak_megabytes

USER = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
HISTORIES = ("109_14", "110_14", "127_14", "150_14")
ROWS_PER_USER = 57
POOL = 40_000


def token(field: str, feature: int, value: str = "1.0") -> str:
    return f"{field}\x02{feature}\x03{value}"


def item_tokens(rng: np.random.Generator) -> str:
    def one(field: str, counted: bool = False) -> str:
        value = f"{np.log1p(rng.integers(1, 90)):.5f}" if counted else "1.0"
        return token(field, int(rng.integers(1_000_000, 9_999_999)), value)

    tokens = [one(field) for field in ("205", "206", "207")]
    tokens += [one("210") for _ in range(int(rng.integers(1, 8)))]
    tokens += [one("216")] if rng.random() < 0.73 else []
    for field, share in (("508", 0.6), ("509", 0.26), ("702", 0.26)):
        tokens += [one(field, counted=True)] if rng.random() < share else []
    if rng.random() < 0.45:
        tokens += [one("853", counted=True) for _ in range(int(rng.integers(1, 12)))]
    tokens.append(token("301", 9_351_665 + int(rng.integers(3))))
    return f"{len(tokens)}," + "\x01".join(tokens)


def generate(folder: Path, rows: int, seed: int = 0) -> None:
    """Write the pair of files; feature lists are drawn from a pool, keys and labels are not."""
    rng = np.random.default_rng(seed)
    users = max(rows // ROWS_PER_USER, 1)
    keys = [f"{key:016x}" for key in rng.integers(2**63, size=users)]
    pool = [item_tokens(rng) for _ in range(POOL)]
    owner = np.sort(rng.integers(users, size=rows))
    click = rng.random(rows) < 0.039
    purchase = click & (rng.random(rows) < 0.0055)
    with (folder / "sample_skeleton_train.csv").open("w", newline="\n") as file:
        columns = (owner, click.astype(int), purchase.astype(int), rng.integers(POOL, size=rows))
        for number, (user, c, v, item) in enumerate(zip(*map(list, columns), strict=True), 1):
            file.write(f"{number},{c},{v},{keys[user]},{pool[item]}\n")
    history = {
        field: [
            token(field, int(rng.integers(1_000_000, 9_999_999)), f"{np.log1p(i % 90 + 1):.5f}")
            for i in range(POOL)
        ]
        for field in HISTORIES
    }
    with (folder / "common_features_train.csv").open("w", newline="\n") as file:
        for user in rng.permutation(users):
            tokens = [token(field, int(rng.integers(1_000_000, 9_999_999))) for field in USER]
            for field in HISTORIES:
                picks = rng.integers(POOL, size=int(rng.integers(1, 254))).tolist()
                tokens += [history[field][i] for i in picks]
            file.write(f"{keys[user]},{len(tokens)}," + "\x01".join(tokens) + "\n")


def measure(folder: Path, preset: str, history_length: int | None) -> dict[str, Any]:
    """Read all columns twice: the second pass finds the user side already parsed."""
    from postclick.datasets.aliccp import ALICCP

    options = {"preset": preset, "history_length": history_length, "temp": folder / "temp"}
    source = ALICCP.load(folder, options).train
    seconds, processor, rows = [], [], 0
    for _ in range(2):
        start, start_processor = time.perf_counter(), time.process_time()
        rows = sum(frame.height for frame in source.frames(source.columns))
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - start_processor)
    return {
        "preset": preset,
        "history_length": history_length,
        "rows": rows,
        "first_pass_rows_per_s": round(rows / seconds[0]),
        "next_pass_rows_per_s": round(rows / seconds[1]),
        "first_pass_cpu_s": round(processor[0], 2),
        "next_pass_cpu_s": round(processor[1], 2),
        "peak_rss_mb": round(peak_megabytes() * 1.048576),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 1_000_000, 2_000_000])
    parser.add_argument("--presets", nargs="+", default=["standard", "all"])
    parser.add_argument("--history-length", type=int, default=None)
    parser.add_argument("--out", type=Path, default=None, help="write the figures here as JSON")
    parser.add_argument("--generate", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "PRESET"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.generate:
        generate(Path(args.generate), args.rows[0])
        return
    if args.measure:
        folder, preset = args.measure
        print(json.dumps(measure(Path(folder), preset, args.history_length)))
        return
    results = []
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            this_file = [sys.executable, __file__]
            subprocess.run([*this_file, "--generate", folder, "--rows", str(rows)], check=True)
            sizes = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
            for preset in args.presets:
                command = [*this_file, "--measure", folder, preset]
                if args.history_length is not None:
                    command += ["--history-length", str(args.history_length)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results.append({**json.loads(done.stdout), "file_bytes": sizes})
    figures = {"cpus": os.cpu_count(), "results": results}
    text = json.dumps(figures, indent=2)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    print(table(results))


def table(results: list[dict[str, Any]]) -> str:
    names = [n for n in results[0] if n not in ("file_bytes", "history_length")]
    lines = ["  ".join(f"{n:>21}" for n in names)]
    lines += ["  ".join(f"{row[n]!s:>21}" for n in names) for row in results]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
