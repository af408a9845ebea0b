"""Made `earlier`, `earlier.csv` and `scores_earlier.csv`, once.

    python tests/serving/data/make_earlier.py FOLDER

The version that made them took text as it was: values such as " 5" and "5", or "1e3" and "1000",
are apart in its vocabularies. Later versions have to give the same scores, whatever type the rows
have.
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

SCHEMA = {
    "click": "click",
    "conversion": "purchase",
    "categorical": ["shop", "at"],
    "multi": [{"name": "tags", "separator": "|"}],
}
SETTINGS = ("tower=[4]", "embedding_dim=2", "batch_size=256", "epochs=4", "lr=0.05", "threads=1")
SHOPS = ("5", " 5", "2.50", "2.5", "1e3", "1000", "True", "true", "N/A", "x", " x", "20", "007")
MOMENTS = ("2026-01-05 10:00:00", "2026-01-05T10:00:00", "2026-01-06", "2026-01-06 00:00:00")


def make_log(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, len(SHOPS), rows)
    tags = [rng.integers(0, len(SHOPS), k) for k in rng.integers(1, 4, rows)]
    click = rng.random(rows) < 0.2 + 0.5 * (shop % 2)
    rate = np.array([0.1 + 0.6 * (int(np.sum(some)) % 3 == 0) for some in tags])
    return pl.DataFrame(
        {
            "shop": [SHOPS[k] for k in shop],
            "at": [MOMENTS[k] for k in rng.integers(0, len(MOMENTS), rows)],
            "tags": ["|".join(SHOPS[k] for k in some) for some in tags],
            "click": click.astype(int),
            "purchase": (click & (rng.random(rows) < rate)).astype(int),
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
        bundle = postclick.export(run, folder / "earlier")
    rows = make_log(60, 2).drop("click", "purchase")
    rows.write_csv(folder / "earlier.csv", quote_style="always")
    bundle.score(rows).write_csv(folder / "scores_earlier.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
