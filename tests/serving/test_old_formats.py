"""A bundle of each format, written by the first version that had it, still gives its scores."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from postclick import open_splits, prepare
from postclick.data.manifest import FILE_NAME, Manifest
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import READABLE, format_of

DATA = Path(__file__).parent / "data"
# What a column of text may come as.
TYPES: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "text": lambda column: column,
    "categorical": lambda column: column.cast(pl.Categorical),
    "list": lambda column: column.str.split("|"),
    "categorical list": lambda column: column.str.split("|").cast(pl.List(pl.Categorical)),
}


@pytest.mark.parametrize("number", READABLE)
def test_it_loads_and_scores(number: int) -> None:
    bundle = Bundle.open(DATA / f"format_{number}", threads=1)
    assert bundle.info.format == number
    found = bundle.score(pl.read_csv(DATA / "rows.csv"))
    expected = pl.read_csv(DATA / f"scores_{number}.csv")
    assert found.columns == expected.columns and found.height == 24
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6
        assert found[name].n_unique() > 10


def test_format_2_reads_a_user_apart() -> None:
    bundle = Bundle.open(DATA / "format_2", threads=1)
    assert bundle.info.user_features == ("user", "age", "tags")
    rows = pl.read_csv(DATA / "rows.csv")
    expected = pl.read_csv(DATA / "scores_2.csv")
    for row in range(rows.height):
        theirs = list(bundle.info.user_features)
        user, candidates = rows[row].select(theirs), rows[row].drop(theirs)
        found = bundle.score_candidates(user, pl.concat([candidates] * 3))
        for name in expected.columns:
            assert (found[name] - expected[name][row]).abs().max() < 1e-6


@pytest.mark.parametrize("shop", ["text", "categorical"])
@pytest.mark.parametrize("tags", TYPES)
def test_values_written_in_several_ways_have_the_ids_of_their_training(
    shop: str, tags: str
) -> None:
    """A bundle of the version that took " 5", "5", "1e3" and "1000" for values of their own."""
    rows = pl.read_csv(DATA / "earlier.csv", infer_schema=False)
    rows = rows.with_columns(
        TYPES[shop](pl.col("shop")), TYPES[shop](pl.col("at")), TYPES[tags](pl.col("tags"))
    )
    found = Bundle.open(DATA / "earlier", threads=1).score(rows)
    expected = pl.read_csv(DATA / "scores_earlier.csv")
    for name in expected.columns:
        assert (found[name] - expected[name]).abs().max() < 1e-6
        assert found[name].n_unique() > 30


def test_values_that_were_not_there_are_read_as_now() -> None:
    bundle = Bundle.open(DATA / "earlier", threads=1)
    rows = pl.read_csv(DATA / "earlier.csv", infer_schema=False).head(1)
    moment = rows.with_columns(at=pl.lit("2026-01-05T10:00:00"))
    for shop, known in ((" 20", "20"), ("20.0", "20"), (" 007", " 007"), ("TRUE", "true")):
        for kind in (pl.String, pl.Categorical):
            asked = moment.with_columns(shop=pl.lit(shop).cast(kind), tags=pl.lit(f"{shop}|{shop}"))
            told = moment.with_columns(shop=pl.lit(known), tags=pl.lit(f"{known}|{known}"))
            assert bundle.score(asked).equals(bundle.score(told)), shop
    exact = moment.with_columns(shop=pl.lit("1e3"))
    assert not bundle.score(exact).equals(bundle.score(exact.with_columns(shop=pl.lit("1000"))))


def test_a_log_prepared_before_values_had_one_form_is_exported_as_such(tmp_path: Path) -> None:
    log = pl.concat([pl.read_csv(DATA / "rows.csv")] * 20).with_columns(
        click=pl.int_range(480) % 2, purchase=pl.int_range(480) % 4 // 3
    )
    schema = {"click": "click", "conversion": "purchase", "categorical": ["shop"]}
    manifest = prepare(open_splits(schema, log), tmp_path / "data").manifest
    assert manifest.canonical and format_of(manifest) == 3
    path = tmp_path / "data" / FILE_NAME
    content = json.loads(path.read_text())
    assert content.pop("canonical") is True
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert format_of(Manifest.read(tmp_path / "data")) == 2
