"""Models of five other libraries and two of postclick, trained on one log and judged together.

    python benchmarks/judge_peers.py --out peers [--world confounded] [--rows 200000]
        [--only naive,lightgbm] [--python nextrec=PATH] [--decay 1e-4]

The log is simulated, so that the true CVR of every impression is known. All models get the same
features and train on the same rows; validation rows stop them, test labels are handed to none.
Each peer is a process of its own (`peer_models/train_*.py`), with `--python` in an environment of
its own; one that is not installed is left out and named. postclick's models are trained, exported
and scored by its commands. What they all hand over is one table, OUT/predictions.parquet, which
`postclick judge` judges: users are the groups that intervals respect. `--decay` gives the libraries
with networks the decay of embeddings that is postclick's default in place of their own.
"""

import argparse
import json
import os
import resource
import shutil
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
# The first is what the others are compared with.
ALL = (*OURS, *PEERS)
VALID_FRACTION = 0.1
REQUEST = "request.json"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# What the table shows: figure, space, heading, whether with its interval.
SHOWN = (
    ("cvr_auc", "clicked", "CVR-AUC", True),
    ("cvr_nll", "clicked", "CVR-NLL", False),
    ("cvr_pcoc", "clicked", "PCOC", True),
    ("true_cvr_auc", "entire", "true AUC", False),
    ("true_cvr_nll", "entire", "true NLL", False),
    ("cvr_bias", "entire", "true bias", False),
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


def peer(
    name: str, out: Path, python: str, seed: int, decay: float | None = None
) -> dict[str, Any]:
    """Train one and score the test rows; what its script says, or why it is left out."""
    scores = out / "scores" / f"{PEERS[name]}.parquet"
    command = [python, SCRIPTS / f"train_{name}.py", out / "plain", scores, "--seed", seed]
    if decay is not None:
        command += ["--decay", decay]
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
    """What `make` says and the processor time that it took; from OUT if it was made there."""
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


def judged(out: Path) -> dict[str, Any]:
    """What `postclick judge` makes of the table; users are the groups that intervals respect."""
    folder = out / "judged"
    if folder.exists():
        shutil.rmtree(folder)
    _postclick(
        *("judge", out / "predictions.parquet", "--group", "user", "--by", "category"),
        *("--true-cvr", "true_cvr", "--out", folder),
    )
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def lines(summary: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The figures of `SHOWN` by model and heading, with intervals where they are asked for."""
    found = {(f["model"], f["metric"], f["space"]): f for f in summary["figures"]}

    def text(model: str, metric: str, space: str, *, interval: bool) -> str:
        figure = found[model, metric, space]
        if figure["value"] is None:
            return "-"
        ends = f" ({figure['low']:.3f} to {figure['high']:.3f})" if interval else ""
        return f"{figure['value']:.4f}{ends}"

    return {
        model: {
            heading: text(model, metric, space, interval=interval)
            for metric, space, heading, interval in SHOWN
        }
        for model in summary["models"]
    }


def _postclick(*arguments: object) -> None:
    command = [sys.executable, "-m", "postclick", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise SystemExit(f"postclick {arguments[0]} failed:\n{done.stderr}")


def _environment() -> Mapping[str, str]:
    return {**os.environ, **ONE_THREAD}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="Folder; what it has of the same log is kept."
    )
    parser.add_argument("--world", default="confounded")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--ctr", type=float, default=0.1)
    parser.add_argument("--cvr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--decay", type=float, help="Decay of embeddings in libraries with networks [their own]."
    )
    parser.add_argument("--only", default=",".join(ALL), help="Some of them, a,b,c.")
    parser.add_argument(
        "--python", action="append", default=[], help="PEER=INTERPRETER of another environment."
    )
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    asked.python = dict(text.partition("=")[::2] for text in asked.python)
    for option, given, known in (("only", asked.only, ALL), ("python", asked.python, PEERS)):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"--{option} knows no {', '.join(unknown)}; there are {', '.join(known)}")
    kept = asked.out / REQUEST
    if kept.exists() and kept.read_text(encoding="utf-8") != _request(asked):
        before = kept.read_text(encoding="utf-8")
        parser.error(f"{asked.out} holds what {before} gave: give another --out")
    return asked


def _request(asked: argparse.Namespace) -> str:
    """What the files in OUT depend on."""
    names = ("world", "rows", "ctr", "cvr", "seed", "decay")
    return json.dumps({name: getattr(asked, name) for name in names})


def main() -> None:
    asked = _asked()
    out, seed = asked.out, asked.seed
    if not (out / REQUEST).exists():
        (out / "scores").mkdir(parents=True)
        simulated(out, asked.world, asked.rows, (asked.ctr, asked.cvr), seed)
        (out / REQUEST).write_text(_request(asked), encoding="utf-8")
    said = {}
    for name in asked.only:
        if name in PEERS:
            python = asked.python.get(name, sys.executable)
            model, make = PEERS[name], partial(peer, name, out, python, seed, asked.decay)
        else:
            model, make = OURS[name], partial(ours, name, out, seed)
        said[model] = scored(out, model, make)
        facts = ", ".join(f"{key} {value}" for key, value in said[model].items())
        print(f"{model}: {facts}", flush=True)
    models = [model for model, found in said.items() if "left_out" not in found]
    gathered(out, models).write_parquet(out / "predictions.parquet")
    summary = judged(out)
    table, answer = lines(summary), summary["answer"]
    print_table(table)
    print(answer["sentence"])
    print(json.dumps({"models": said, "lines": table, "answer": answer}))


if __name__ == "__main__":
    main()
