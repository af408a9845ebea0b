"""The same values are judged the same, in whatever form they come."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.predictions import close, predictions, without
from postclick import judge

COLUMNS = (
    *("click", "conversion", "pctr_a", "pcvr_a", "pctr_b", "pcvr_b"),
    *("user", "shop", "price", "day", "position", "times"),
)
OPTIONS: Any = {
    "group": "user", "weight": "times", "by": ["shop", "price"], "time": "day",
    "exposure": "position", "resamples": 40,
}  # fmt: skip


def written() -> pl.DataFrame:
    """Values that text of a few digits holds in full; every chunk of price has decimals."""
    log = predictions(300, seed=2).select(COLUMNS)
    digits = [pl.col(pl.Float64).round(4).clip(0.0001)]
    return log.with_columns(*digits, day=pl.col("day").dt.truncate("1s"))


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("day").dt.strftime("%Y-%m-%dT%H:%M:%S"))


def csv(frame: pl.DataFrame, folder: Path) -> Path:
    as_text(frame).write_csv(folder / "log.csv")
    return folder / "log.csv"


def comma(frame: pl.DataFrame, folder: Path) -> Path:
    as_text(frame).write_csv(folder / "log.tsv", separator="\t", decimal_comma=True)
    assert "0," in (folder / "log.tsv").read_text()
    return folder / "log.tsv"


def lines(frame: pl.DataFrame, folder: Path) -> Path:
    as_text(frame).write_ndjson(folder / "log.jsonl")
    return folder / "log.jsonl"


def ipc(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_ipc(folder / "log.arrow")
    return folder / "log.arrow"


def parquet(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_parquet(folder / "log.parquet", row_group_size=70)
    return folder / "log.parquet"


def two_files(frame: pl.DataFrame, folder: Path) -> str:
    frame[:120].write_parquet(folder / "part-1.parquet")
    frame[120:].write_parquet(folder / "part-2.parquet")
    return str(folder / "part-*.parquet")


FORMS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "csv": csv,
    "tsv with decimal commas": comma,
    "json lines": lines,
    "arrow ipc": ipc,
    "parquet": parquet,
    "two files": two_files,
    "pandas": lambda frame, _: frame.to_pandas(),
    "pyarrow": lambda frame, _: frame.to_arrow(),
    "text": lambda frame, _: as_text(frame).with_columns(pl.all().cast(pl.String)),
    "categories": lambda frame, _: frame.with_columns(pl.col("shop").cast(pl.Categorical)),
    "booleans": lambda frame, _: frame.with_columns(pl.col("click", "conversion").cast(pl.Boolean)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_changes_no_figure(form: str, tmp_path: Path) -> None:
    frame = written()
    expected = judge(frame, **OPTIONS)
    found = judge(FORMS[form](frame, tmp_path), **OPTIONS)
    close(without(found), without(expected), 1e-12)


@pytest.mark.parametrize("form", ["parquet", "arrow ipc", "pandas", "pyarrow"])
def test_single_precision_is_judged_as_it_came(form: str, tmp_path: Path) -> None:
    single = written().with_columns(pl.col("^p(ctr|cvr)_.$").cast(pl.Float32))
    double = single.with_columns(pl.col(pl.Float32).cast(pl.Float64))
    found = judge(FORMS[form](single, tmp_path), **OPTIONS)
    close(without(found), without(judge(double, **OPTIONS)), 1e-12)


def test_single_precision_ties_nothing_that_was_apart() -> None:
    near = np.float32(0.3) + np.arange(64, dtype=np.float32) * np.float32(2.0**-24)
    log = pl.DataFrame(
        {"click": [1] * 64, "conversion": [0, 1] * 32, "pcvr": near.astype(np.float32)}
    )
    assert log["pcvr"].n_unique() > 32
    found = judge(log, resamples=40).value("model", "cvr_auc")
    won = [(a > b) + 0.5 * (a == b) for a in near[1::2] for b in near[0::2]]
    assert found == np.mean(won)


def test_several_logs_are_one(tmp_path: Path) -> None:
    frame = written()
    frame[:100].write_parquet(tmp_path / "a.parquet")
    frame[100:].write_parquet(tmp_path / "b.parquet")
    both = judge(tmp_path / "a.parquet", tmp_path / "b.parquet", **OPTIONS)
    close(without(both), without(judge(frame, **OPTIONS)), 1e-12)
