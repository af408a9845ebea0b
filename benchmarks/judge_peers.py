"""Models of five other libraries and two of postclick, trained on one log and judged together.

    python benchmarks/judge_peers.py --out peers [--world confounded] [--rows 200000]
        [--only lightgbm,catboost] [--python nextrec=PATH]

The log is simulated, so that the true CVR of every impression is known. All models get the same
features and train on the same rows; validation rows stop them, test labels are handed to none.
Each peer is a process of its own (`peer_models/train_*.py`), with `--python` in an environment of
its own; one that is not installed is left out and named. postclick's models are trained, exported
and scored by its commands. What they all hand over is one table, OUT/predictions.parquet.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from peer_models.encode import write_plain_log
from postclick.data.schema import LogSchema
from postclick.metrics import EvaluationSums
from workload import print_table

SCRIPTS = Path(__file__).resolve().parent / "peer_models"
# The script that trains each, and what its two columns are called.
PEERS = {
    "torch_rechub": "torch_rechub_esmm",
    "deepctr_torch": "deepctr_torch_esmm",
    "nextrec": "nextrec_esmm",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
}
OURS = {"naive": "postclick_naive", "esmm": "postclick_esmm"}
VALID_FRACTION = 0.1
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# What the table shows: figure, space, heading.
SHOWN = (
    ("cvr_auc", "clicked", "CVR-AUC"),
    ("cvr_nll", "clicked", "CVR-NLL"),
    ("cvr_pcoc", "clicked", "PCOC"),
    ("true_cvr_auc", "entire", "true AUC"),
    ("true_cvr_nll", "entire", "true NLL"),
    ("cvr_bias", "entire", "true bias"),
)


def simulated(out: Path, world: str, rows: int, rates: tuple[float, float], seed: int) -> None:
    """Write OUT/log with train, valid and test, and OUT/plain, the same for peers."""
    ctr, cvr = rates
    _postclick(
        *("simulate", out / "log", "--world", world, "--rows", rows),
        *("--ctr", ctr, "--cvr", cvr, "--seed", seed),
    )
    whole = pl.read_parquet(out / "log" / "train.parquet")
    drawn = np.random.default_rng(seed).random(whole.height) < VALID_FRACTION
    splits = {
        "train": whole.filter(~drawn),
        "valid": whole.filter(drawn),
        "test": pl.read_parquet(out / "log" / "test.parquet"),
    }
    for name in ("train", "valid"):
        splits[name].write_parquet(out / "log" / f"{name}.parquet")
    write_plain_log(LogSchema.load(out / "log" / "schema.yaml"), splits, out / "plain")
    for name, rows_of in splits.items():
        clicks, conversions = (int(rows_of[label].sum()) for label in ("click", "conversion"))
        print(f"{name}: {rows_of.height:,} rows, {clicks:,} clicks, {conversions:,} conversions")


def peer(name: str, out: Path, python: str, seed: int) -> dict[str, Any]:
    """Train one and score the test rows; what its script says, or why it is left out."""
    scores = out / "scores" / f"{PEERS[name]}.parquet"
    command = [python, SCRIPTS / f"train_{name}.py", out / "plain", scores, "--seed", seed]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=_environment()
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def ours(method: str, out: Path, seed: int) -> dict[str, Any]:
    """Train a method, export it and score the raw test rows, as anyone would."""
    log, data = out / "log", out / "data"
    # The same request again leaves what is there.
    _postclick(
        *("prepare", "--schema", log / "schema.yaml", "--train", log / "train.parquet"),
        *("--valid", log / "valid.parquet", "--test-fraction", 0, "--out", data),
    )
    run, bundle = out / f"run_{method}", out / f"bundle_{method}"
    _postclick("train", data, "--method", method, "--seed", seed, "--out", run)
    _postclick("export", run, "--out", bundle)
    scores = out / "scores" / f"{OURS[method]}.parquet"
    _postclick("score", bundle, log / "test.parquet", "--out", scores)
    passes = len((run / "history.jsonl").read_text(encoding="utf-8").splitlines())
    return {"package": f"postclick {version('postclick')}", "rounds": f"{passes} passes"}


def scored(out: Path, model: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` says, and the processor time that it took; taken from OUT if it was made there."""
    kept = out / "scores" / f"{model}.json"
    if kept.exists():
        known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return known
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = make()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "left_out" not in found:
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found["processor_seconds"] = round(spent)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return found


def gathered(out: Path, models: list[str]) -> pl.DataFrame:
    """The raw test rows and, of each model, `pctr_<model>` and `pcvr_<model>`."""
    table = pl.read_parquet(out / "log" / "test.parquet")
    for model in models:
        scores = pl.read_parquet(out / "scores" / f"{model}.parquet", columns=["pctr", "pcvr"])
        if scores.height != table.height:
            raise SystemExit(f"{model} scored {scores.height:,} of {table.height:,} test rows")
        table = table.with_columns(scores.rename(lambda name, m=model: f"{name}_{m}"))
    return table


def figures(table: pl.DataFrame, model: str) -> dict[str, float | None]:
    """The figures of `SHOWN` by heading."""
    sums = EvaluationSums()
    pctr, pcvr = (
        table[f"{kind}_{model}"].to_numpy().clip(1e-7, 1 - 1e-7) for kind in PROBABILITIES
    )
    logits = (np.log(p) - np.log1p(-p) for p in (pctr, pcvr))
    labels = (table[name].to_numpy() for name in ("click", "conversion", "true_cvr"))
    click, conversion, truth = labels
    sums.update(*logits, click, conversion, true_cvr=truth)
    found = {(m.metric, m.space): m.value for m in sums.compute()}
    return {heading: found[figure, space] for figure, space, heading in SHOWN}


PROBABILITIES = ("pctr", "pcvr")


def _postclick(*arguments: object) -> None:
    command = [sys.executable, "-m", "postclick", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise SystemExit(f"postclick {arguments[0]} failed:\n{done.stderr}")


def _environment() -> Mapping[str, str]:
    return {**os.environ, **ONE_THREAD}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="Folder to write; what it has of the same log is kept.",
    )
    parser.add_argument("--world", default="confounded")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--ctr", type=float, default=0.1)
    parser.add_argument("--cvr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join([*PEERS, *OURS]), help="Some of them, a,b,c.")
    parser.add_argument(
        "--python", action="append", default=[], help="PEER=INTERPRETER of another environment."
    )
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    unknown = sorted(set(chosen) - {*PEERS, *OURS})
    if unknown:
        parser.error(
            f"--only knows no {', '.join(unknown)}; there are {', '.join([*PEERS, *OURS])}"
        )
    pythons = dict(text.split("=", 1) for text in arguments.python)
    out, seed = arguments.out, arguments.seed
    request = json.dumps([arguments.world, arguments.rows, arguments.ctr, arguments.cvr, seed])
    asked = out / "request.json"
    if asked.exists() and asked.read_text(encoding="utf-8") != request:
        parser.error(f"{out} holds another log: give another --out")
    if not asked.exists():
        (out / "scores").mkdir(parents=True)
        simulated(out, arguments.world, arguments.rows, (arguments.ctr, arguments.cvr), seed)
        asked.write_text(request, encoding="utf-8")
    said = {}
    for name in chosen:
        if name in PEERS:
            model, python = PEERS[name], pythons.get(name, sys.executable)
            said[model] = scored(out, model, partial(peer, name, out, python, seed))
        else:
            model = OURS[name]
            said[model] = scored(out, model, partial(ours, name, out, seed))
        facts = ", ".join(f"{key} {value}" for key, value in said[model].items())
        print(f"{model}: {facts}", flush=True)
    models = [model for model, found in said.items() if "left_out" not in found]
    table = gathered(out, models)
    table.write_parquet(out / "predictions.parquet")
    print_table({model: figures(table, model) for model in models})


if __name__ == "__main__":
    main()
