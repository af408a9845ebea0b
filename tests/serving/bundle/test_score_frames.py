"""A request in any table scores as it does in polars."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from helpers.mixed_log import mixed_log
from postclick import score
from postclick.data.lookup.raw_rows import RawRows
from postclick.errors import InputError
from postclick.serving.bundle.bundle import Bundle

Raw = tuple[pl.DataFrame, pl.DataFrame]


class Capsule:
    """A table of some other library."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def to_pandas(frame: pl.DataFrame) -> Any:
    pytest.importorskip("pandas")
    return frame.to_pandas()


def binary_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("shop").cast(pl.Binary))


MAKES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "lazy": lambda frame: frame.lazy(),
    "arrow": lambda frame: frame.to_arrow(),
    "batch": lambda frame: frame.to_arrow().combine_chunks().to_batches()[0],
    "reader": lambda frame: frame.to_arrow().to_reader(max_chunksize=100),
    "capsule": lambda frame: Capsule(frame.to_arrow()),
    "pandas": to_pandas,
    "binary": binary_text,
}


@pytest.mark.parametrize("make", MAKES)
def test_the_same_scores(make: str, mixed_bundle: Bundle, mixed_raw: Raw, tmp_path: Path) -> None:
    frame = mixed_raw[1]
    expected = mixed_bundle.score(frame)
    assert mixed_bundle.score(MAKES[make](frame)).equals(expected)
    out = tmp_path / "scores.parquet"
    done = score(mixed_bundle, MAKES[make](frame), out, keep=["user"])
    assert done.rows == frame.height
    found = pl.read_parquet(out)
    assert found["user"].equals(frame["user"])
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6


def test_candidates(mixed_bundle: Bundle, mixed_raw: Raw) -> None:
    frame = mixed_raw[1].head(20)
    user, candidates = frame.select("user", "age").head(1), frame.drop("user", "age")
    expected = mixed_bundle.score_candidates(user, candidates)
    given = user.to_arrow(), Capsule(candidates.to_arrow())
    assert mixed_bundle.score_candidates(*given).equals(expected)


def test_what_is_missing_is_named(mixed_bundle: Bundle, mixed_raw: Raw) -> None:
    with pytest.raises(InputError, match="no column 'shop' among the rows to score"):
        mixed_bundle.score(mixed_raw[1].drop("shop").to_arrow())
    with pytest.raises(InputError, match="a log cannot be a dict: give polars"):
        mixed_bundle.score({"shop": ["a"]})  # type: ignore[arg-type]


def test_integers_of_arrow_in_one_matrix(mixed_bundle: Bundle) -> None:
    """Ids, numbers and binned numbers among the integers."""
    frame = mixed_log(200, seed=3).select(mixed_bundle.features)
    frame = frame.with_columns(pl.col("age").cast(pl.Int64))
    batch = frame.to_arrow().combine_chunks().to_batches()[0]
    rows = RawRows.of_batch(batch, ["user", "spend", "age"])
    assert rows.integers == ("user", "spend", "age")
    assert mixed_bundle.predict(rows).frame().equals(mixed_bundle.score(frame))
