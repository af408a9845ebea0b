"""Bad rows, wrong options and wrong columns under `prepare`."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.written import stored
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError


def test_truth_without_values_is_no_truth(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    train = make_log().with_columns(p_click=pl.lit(None, pl.Float64))
    test = make_log(500, seed=1)
    log = prepare(LogSplits(schema, FrameSource(train), FrameSource(test)), tmp_path / "out")
    assert {k: s.truth for k, s in log.manifest.splits.items()} == {
        "train": (),
        "valid": (),
        "test": ("true_ctr",),
    }
    assert "true_ctr" not in stored(log, "train").columns
    found = [f for f in log.manifest.findings if f["column"] == "p_click"]
    assert [(f["code"], f["severity"]) for f in found] == [("no-truth-column", "info")]
    some = test.with_columns(p_click=pl.when(pl.col("row") > 9).then("p_click"))
    log = prepare(LogSplits(schema, FrameSource(some)), tmp_path / "some", test_fraction=0)
    values = np.concatenate([log.rows(name).truth["true_ctr"] for name in ("train", "valid")])
    assert np.isnan(values).sum() == 10


def bad_rows(make_log: Any) -> pl.DataFrame:
    at = pl.int_range(3000)
    frame: pl.DataFrame = make_log().with_columns(
        click=pl.when(at < 5).then(0).when(at == 7).then(None).otherwise("click"),
        buy=pl.when(at < 5).then(1).when(at == 7).then(0).otherwise("buy"),
    )
    return frame


def test_bad_rows(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    frame = bad_rows(make_log)
    splits = LogSplits(schema, FrameSource(frame))
    with pytest.raises(InputError, match=r"1 of 3,000 rows.*conversion-without-click") as caught:
        prepare(splits, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    dropped = prepare(splits, tmp_path / "drop", on_bad_rows="drop")
    assert sum(s.rows for s in dropped.manifest.splits.values()) == 2994
    assert {f["code"] for f in dropped.manifest.findings} >= {
        "conversion-without-click",
        "label-not-binary",
    }
    with pytest.raises(InputError, match="label 'click' is not 0 or 1"):
        prepare(splits, tmp_path / "keep", on_bad_rows="keep")
    whole = LogSplits(schema, FrameSource(frame.filter(pl.col("click").is_not_null())))
    kept = prepare(whole, tmp_path / "keep", on_bad_rows="keep", valid_fraction=0, test_fraction=0)
    rows = stored(kept, "train")
    assert rows.height == 2999
    assert int((rows["conversion"] > rows["click"]).sum()) == 0
    assert rows["conversion"].sum() == frame["buy"].sum() - 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"valid_fraction": 1.0}, "valid_fraction is 1.0"),
        ({"test_fraction": -0.1}, "test_fraction is -0.1"),
        ({"test_fraction": 0.5, "valid_fraction": 0.5}, "leave no row"),
        ({"shard_rows": 0}, "shard_rows is 0"),
        ({"on_bad_rows": "ignore"}, "on_bad_rows is 'ignore'"),
    ],
)
def test_wrong_options(
    tmp_path: Path, make_log: Any, schema: LogSchema, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        prepare(LogSplits(schema, FrameSource(make_log(10))), tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_reserved_feature_name(tmp_path: Path, make_log: Any) -> None:
    schema = LogSchema.parse({"click": "c", "conversion": "buy", "categorical": ["click"]})
    frame = make_log().with_columns(c=pl.col("click"))
    with pytest.raises(InputError, match="'click' is used by prepared data itself: rename"):
        prepare(LogSplits(schema, FrameSource(frame)), tmp_path / "out")


def test_a_missing_column(tmp_path: Path, make_log: Any, schema: LogSchema) -> None:
    splits = LogSplits(schema, FrameSource(make_log()), FrameSource(make_log().drop("user")))
    with pytest.raises(InputError, match="test: no column 'user'"):
        prepare(splits, tmp_path / "out")
