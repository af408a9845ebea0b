"""What a draft makes of numbers, text and ids: missing tokens, skew, hashes."""

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.drafts import AGES, PRICES, RNG, ROWS, SHOP, draft, kind, line, with_holes
from postclick.data.check.propose import propose_schema
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.value_rules import DEFAULT_MISSING
from postclick.data.schema import LogSchema


def test_numbers_with_known_tokens_are_numeric() -> None:
    schema, text = draft(price=with_holes(PRICES, "NA", "-"))
    assert kind(schema, "price") == "numeric"
    assert "numeric but for 120 values ('-', 'NA')" in line(text, "price")
    assert schema.missing is None


def test_a_repeated_text_is_drafted_as_missing_beside_the_defaults() -> None:
    schema, text = draft(price=with_holes(PRICES, "unknown", "NA"), cost=with_holes(PRICES, "?"))
    assert kind(schema, "price") == kind(schema, "cost") == "numeric"
    assert "text in 60 rows ('unknown'), see missing" in line(text, "price")
    assert schema.missing is not None
    assert set(schema.missing) == {*DEFAULT_MISSING, "NA", "unknown", "?"}


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (("ten",), "numeric but for text in 1 row: 'ten'"),
        (("ten", "five", "XL"), "numeric but for text in 3 rows: 'XL', 'five', 'ten'"),
        (("65+",) * 40, "numeric but for text in 40 rows: '65+'"),
        (tuple(f"size {k}" for k in range(9)) * 3, "'size 0', 'size 1', 'size 2', ..."),
    ],
)
def test_text_that_is_no_missing_value_keeps_a_column_from_being_numeric(
    odd: tuple[str, ...], said: str
) -> None:
    schema, text = draft(size=[*odd, *PRICES[len(odd) :]])
    assert kind(schema, "size") == "categorical"
    assert said in line(text, "size")
    assert schema.missing is None


def test_a_category_that_looks_missing_is_named_and_not_chosen() -> None:
    brands = with_holes([f"b{k}" for k in SHOP], "NA", "none")
    schema, text = draft(brand=brands, price=with_holes(PRICES, "-"))
    assert "'NA', 'none' in 120 rows: list it under missing" in line(text, "brand")
    assert schema.missing is None
    chosen = text.replace("# missing:", "missing:").replace("\n#   ", "\n  ")
    missing = LogSchema.parse(yaml.safe_load(chosen)).missing
    assert missing is not None
    assert set(missing) == {*DEFAULT_MISSING, "NA", "none", "-"}


@pytest.mark.parametrize(
    ("value", "said"),
    [(-1, "-1 in"), (-999, "-999 in"), (9999, "9999 in"), (-999999999, "-999999999 in")],
)
def test_a_repeated_number_far_from_the_rest_is_named(value: int, said: str) -> None:
    _, text = draft(age=np.where(RNG.random(ROWS) < 0.1, value, AGES))
    assert f"18 to 79, {said}" in line(text, "age")
    assert "far" not in line(draft(age=AGES)[1], "age")


def test_hashes_of_64_bits_are_ids_in_every_type() -> None:
    ids = RNG.integers(-(2**63), 2**63 - 1, 300)[RNG.integers(0, 300, ROWS)]
    unsigned = ids.astype(np.uint64)
    columns = {"a": ids, "b": [str(x) for x in ids[::-1]], "c": unsigned}
    large = RNG.integers(2**31, 2**33, 300)[RNG.integers(0, 300, ROWS)]
    schema, text = draft(**columns, ad_count=large, score=large[::-1].copy())
    assert {kind(schema, name) for name in (*columns, "ad_count", "score")} == {"categorical"}
    assert "beyond 2^31, taken for ids" in line(text, "- a")


def test_a_skewed_amount_is_none_though_it_is_large() -> None:
    micros = np.round(1e6 * np.exp(6 + 3 * RNG.normal(size=ROWS))).astype(np.int64)
    schema, _ = draft(price=micros)
    assert [(f.name, f.transform) for f in schema.numeric] == [("price", "log1p")]


def test_ids_in_floating_point_are_said_to_be_rounded() -> None:
    ids = RNG.integers(2**60, 2**63, 300)[RNG.integers(0, 300, ROWS)].astype(float)
    schema, text = draft(ad=ids)
    assert kind(schema, "ad") == "categorical"
    assert "2,000 whole numbers in floating point have lost their last digits" in line(text, "ad")


def test_ids_that_go_on_growing_may_be_hashed() -> None:
    rows = 30_000
    rng = np.random.default_rng(1)
    click = rng.random(rows) < 0.5
    frame = {"click": click, "buy": click & (rng.random(rows) < 0.5)}
    frame["device"] = rng.integers(0, 40_000, rows) * 7919 + 2**40
    text = propose_schema(FrameSource(pl.DataFrame(frame)))
    assert "often new: under hashed it would need no vocabulary" in line(text, "device")
