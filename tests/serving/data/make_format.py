"""Made `format_3` and `scores_3.csv`, once, for the rows of `rows.csv`: what format 3 is.

    python tests/serving/data/make_format.py FOLDER

Later versions of postclick have to load that bundle and give those scores. Where the format
changes, new ones are made beside them, and these stay as they are; the rows are the same, but for
columns that were added. Formats 1 and 2 were made in the same way by the first versions that had
them: format 1 had no user features, format 2 neither hashed values nor vectors.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import postclick
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.serving.bundle.bundle_files import FORMAT

SCHEMA = {
    "click": "click",
    "conversion": "purchase",
    "categorical": ["shop"],
    "numeric": ["price", {"name": "age", "transform": "quantile", "bins": 4}],
    "multi": [{"name": "tags", "separator": "|"}],
    "hashed": [{"name": "user", "buckets": 50}],
    "vector": [{"name": "spot", "size": 3, "project": 2, "separator": " "}],
}
SETTINGS = ("tower=[4]", "embedding_dim=2", "batch_size=256", "epochs=2", "lr=0.05", "threads=1")


def make_log(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    user, price = rng.integers(0, 20, rows), rng.lognormal(1, 1, rows).round(2)
    click = rng.random(rows) < 0.2 + 0.5 * (user % 3 == 0)
    spots = np.random.default_rng(seed + 100).normal(5, 2, (rows, 3)).round(2)
    tags = [rng.choice(["new", "sale", "gift"], k).tolist() for k in rng.integers(0, 4, rows)]
    return pl.DataFrame(
        {
            "user": user,
            "shop": rng.choice(["north", "south", "east"], rows),
            "price": pl.Series(price).set(pl.Series(rng.random(rows) < 0.1), None),
            "age": rng.integers(18, 80, rows),
            "tags": ["|".join(names) for names in tags],
            "spot": [" ".join(map(str, spot)) if k % 9 else "" for k, spot in enumerate(spots)],
            "click": click.astype(int),
            "purchase": (click & (rng.random(rows) < 0.1 + 0.08 * price.clip(0, 8))).astype(int),
        }
    )


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        train, test = FrameSource(make_log(4_000, 0)), FrameSource(make_log(1_000, 1))
        splits = LogSplits(LogSchema.parse(SCHEMA), train, test)
        log = postclick.prepare(splits, Path(scratch) / "data")
        settings = postclick.RunSettings.make("esmm", overrides=SETTINGS, seed=0)
        run = postclick.train(log, settings, Path(scratch) / "run")
        run.evaluate(log)
        bundle = postclick.export(
            run, folder / f"format_{FORMAT}", user_features=["user", "age", "tags"]
        )
    rows = (
        make_log(24, 2)
        .drop("click", "purchase")
        .with_columns(
            pl.col("user") + pl.when(pl.int_range(pl.len()) % 5 == 0).then(1000).otherwise(0)
        )
    )
    rows.write_csv(folder / "rows.csv")
    bundle.score(rows).write_csv(folder / f"scores_{FORMAT}.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
