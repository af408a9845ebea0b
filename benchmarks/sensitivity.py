"""What each default setting is worth: one setting changed at a time, judged on validation rows.

    python benchmarks/sensitivity.py DATA [DATA ...] --out FOLDER

Every DATA is a prepared log. For each of four methods and each setting the change of validation
figures against the defaults is averaged over logs, methods and seeds. The test split is not read.
"""

import argparse
import json
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

import postclick
from postclick.experiments.comparison.plan import Arm
from postclick.progress import PlainReporter
from postclick.runs.training_config import TrainingConfig

METHODS = ("naive", "esmm", "escm2_ipw", "choruscvr")
DEFAULTS = TrainingConfig()
CHANGES = {
    "training.lr": (DEFAULTS.lr / 3, DEFAULTS.lr * 3),
    "training.weight_decay": (0.0, 1e-5, 1e-3),
    "training.network_decay": (1e-5, 1e-4),
    "training.batch_size": (512, 4096, 8192),
    "training.epochs": tuple(k for k in (1, 2, 3, 4) if k != DEFAULTS.epochs),
    "network.embedding_dim": (4, 8, 32),
    "network.dropout": (0.2,),
    "options.clip": ("[0.001,0.999]", "[0.05,0.95]"),
    "options.ipw_norm": ("entire", "self"),
}
# Settings that only some methods have.
ONLY = {"options.clip": ("escm2_ipw", "choruscvr"), "options.ipw_norm": ("choruscvr",)}
FIGURES = (
    ("cvr_auc", "clicked"),
    ("cvr_nll", "clicked"),
    ("ctr_auc", "entire"),
    ("true_cvr_auc", "entire"),
    ("true_cvr_nll", "entire"),
)


def arms() -> list[Arm]:
    made = [Arm(f"{method}: defaults", method) for method in METHODS]
    for key, values in CHANGES.items():
        for value in values:
            made += [
                Arm(f"{method}: {key}={value}", method, (f"{key}={value}",))
                for method in ONLY.get(key, METHODS)
            ]
    return made


def measure(data: Path, out: Path, seeds: int) -> pl.DataFrame:
    """Difference to the method's defaults by change, metric, method and seed."""
    found = postclick.compare(
        data, arms(), out / data.name, seeds=seeds, split="valid", trials=0,
        reporter=PlainReporter(),
    ).results  # fmt: skip
    found = found.with_columns(
        pl.col("method").str.split_exact(": ", 1).struct.rename_fields(["base", "change"])
    ).unnest("method")
    keys = ["base", "seed", "metric", "space"]
    default = found.filter(pl.col("change") == "defaults").select(*keys, default="value")
    return found.join(default, on=keys).with_columns(
        log=pl.lit(data.name), gain=pl.col("value") - pl.col("default")
    )


def summary(found: pl.DataFrame) -> list[dict[str, object]]:
    """One row for each change: mean differences, in the order of `CHANGES`."""
    rows: list[dict[str, object]] = []
    for key, values in CHANGES.items():
        for value in values:
            mine = found.filter(pl.col("change") == f"{key}={value}")
            row: dict[str, object] = {"setting": f"{key}={value}"}
            for metric, space in FIGURES:
                part = mine.filter((pl.col("metric") == metric) & (pl.col("space") == space))
                row[f"{metric} {space}"] = part["gain"].mean()
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    names = [data.name for data in given.data]
    if len(set(names)) < len(names):
        parser.error("two logs have folders of one name: results are kept by it, rename one")
    found = pl.concat(measure(data, given.out, given.seeds) for data in given.data)
    rows = summary(found)
    (given.out / "sensitivity.json").write_text(json.dumps(rows, indent=1) + "\n")
    heads = [f"{metric}\n{space}" for metric, space in FIGURES]
    table = Table("setting", *heads, title="Change against the defaults, validation split")
    for row in rows:
        cells = [row[f"{metric} {space}"] for metric, space in FIGURES]
        table.add_row(
            str(row["setting"]),
            *("" if cell is None else f"{cell:+.4f}" for cell in cells),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
