"""A folder that holds, small, the files which a page speaks of."""

import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl

from datasets.aliccp_files import random_log, write
from datasets.aliexpress_files import random_raw, write_raw
from datasets.movielens_files import toy, write_recbole

# Neither in the repository nor to be generated: where they lie in the folder of `shared_data`.
REAL = {"hillstrom": "hillstrom/hillstrom.csv", "coat": "coat"}
# Packages that only a page needs, and what they are called where one gets them.
PACKAGES = {"torch_rechub": "torch-rechub"}

# Pages that begin with a prepared log; others make it themselves.
PREPARED = ("networks.md", "reproduce.md", "tracking.md", "training.md", "tuning.md")


def make_place(folder: Path, page: str, prepared: Path, shared: Path | None) -> set[str]:
    """Write what `page` assumes; return the names of `REAL` that are not to be had here."""
    write_own = write_long_log if page == "log.md" else write_log
    write_own(folder / "log.csv", seed=0)
    write_own(folder / "later.csv", seed=1)
    write_scored(folder / "scored.parquet")
    if page in PREPARED:
        shutil.copytree(prepared, folder / "data")
    write_raw_logs(folder)
    missing = set(REAL) | {name for name in PACKAGES if not _importable(name)}
    for name, place in REAL.items():
        if shared is not None and (shared / place).exists():
            (folder / Path(place).name).symlink_to(shared / place)
            missing.remove(name)
    return missing


def _importable(package: str) -> bool:
    """Whether it is installed with all that it needs."""
    try:
        import_module(f"{package}.basic.features")
    except ImportError:
        return False
    return True


def write_raw_logs(folder: Path) -> None:
    """Ali-CCP, AliExpress of one country and MovieLens-100K, each in its published format."""
    for split, seed in (("train", 1), ("test", 2)):
        write(folder / "aliccp_raw", split, *random_log(seed, users=60, per_user=9))
        write_raw(folder / "AliExpress_NL", "NL", split, *random_raw(seed, pages=250))
    write_recbole(folder / "ml-100k", toy())


def write_log(path: Path, seed: int) -> None:
    """A log as the schema in the README describes it."""
    _log(np.random.default_rng(seed)).write_csv(path)


def write_scored(path: Path) -> None:
    """The same log with what two models predict, one of them better."""
    rng = np.random.default_rng(2)
    log = _log(rng)
    rows = log.height
    taste = 1.5 * log["click"].to_numpy() + 1.5 * log["purchase"].to_numpy()
    columns = {}
    for name, noise in (("a", 2.0), ("b", 1.0)):
        for kind, level in (("pctr", -1.5), ("pcvr", -2.0)):
            logit = level + taste + rng.normal(0, noise, rows)
            columns[f"{kind}_{name}"] = (1 / (1 + np.exp(-logit))).astype(np.float32)
    predictions = [pl.Series(name, values) for name, values in columns.items()]
    log.rename({"purchase": "conversion"}).with_columns(predictions).write_parquet(path)


def write_long_log(path: Path, seed: int) -> None:
    """A log as the schema in docs/log.md describes it, shown from `seed` to `seed` + 1 days."""
    rng = np.random.default_rng(seed)
    log = _log(rng)
    rows = log.height
    counts = [text.count("|") + 1 if text else 0 for text in log["history"]]
    log.with_columns(
        pl.Series("spend_before", rng.lognormal(3, 1, rows).round(2)),
        pl.Series("age", rng.integers(18, 80, rows)),
        pl.Series("history_weight", ["|".join(map(str, rng.random(k).round(2))) for k in counts]),
        pl.Series("order_id", np.arange(rows) + seed * rows),
        pl.Series("device", rng.integers(0, 10**9, rows)),
        pl.Series("image", [" ".join(map(str, v)) for v in rng.normal(size=(rows, 16)).round(2)]),
        pl.Series("title", [str(v.tolist()) for v in rng.normal(size=(rows, 8)).round(2)]),
        pl.Series("true_ctr", rng.uniform(0.1, 0.4, rows).round(4)),
        pl.Series("true_cvr", rng.uniform(0.1, 0.4, rows).round(4)),
        pl.Series("potential_conversion", log["purchase"].to_numpy() | (rng.random(rows) < 0.1)),
        pl.Series(
            "shown_at", 1_700_000_000 + 86_400 * seed + np.sort(rng.integers(0, 86_400, rows))
        ),
        pl.Series("position", rng.integers(1, 9, rows)),
    ).with_columns(pl.col("potential_conversion").cast(pl.Int8)).write_csv(path)


def _log(rng: np.random.Generator, rows: int = 12_000) -> pl.DataFrame:
    user, item = rng.integers(0, 400, rows), rng.integers(0, 200, rows)
    taste = rng.normal(size=400)[user] + rng.normal(size=200)[item]
    click = rng.random(rows) < 1 / (1 + np.exp(2.0 - taste))
    purchase = click & (rng.random(rows) < 1 / (1 + np.exp(1.5 - taste)))
    lengths = rng.integers(0, 5, rows)
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "purchase": purchase.astype(int),
            "user": user,
            "item": item,
            "shop": item % 23,
            "price": rng.lognormal(2, 1, rows).round(2),
            "history": ["|".join(map(str, rng.integers(0, 50, k))) for k in lengths],
            "order_value": np.where(purchase, rng.lognormal(3, 1, rows).round(2), 0.0),
        }
    )
