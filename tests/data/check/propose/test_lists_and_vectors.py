"""What a draft makes of columns with many values in each row: lists, vectors, weights, records."""

import json

import polars as pl
import pytest

from helpers.drafts import (
    LISTS,
    RNG,
    ROWS,
    SHOP,
    VECTORS,
    draft,
    kind,
    line,
)
from helpers.odd_columns import odd_log
from postclick.data.check.check_log import check_log
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.lists import to_bag
from postclick.data.schema import LogSchema


@pytest.mark.parametrize(
    ("values", "separator", "brackets"),
    [
        ([str(x) for x in LISTS], None, True),
        ([json.dumps([f"i {k}" for k in x]) for x in LISTS], None, True),
        ([str(tuple(f"i{k}" for k in x)) for x in LISTS], None, True),
        (["[" + " ".join(map(str, x)) + "]" for x in LISTS], None, True),
        (["[" + "|".join(map(str, x)) + "]" for x in LISTS], "|", True),
        ([",".join(f'"{k}"' for k in x) for x in LISTS], ",", True),
        ([", ".join(map(str, x)) for x in LISTS], ",", False),
        (["|".join(map(str, x)) for x in LISTS], "|", False),
    ],
)
def test_lists_in_text_are_read_as_the_lists_that_they_write(
    values: list[str], separator: str | None, brackets: bool
) -> None:
    schema, _ = draft(history=values)
    bag = schema.multi[0]
    assert (bag.separator, bag.brackets) == (separator, brackets)
    frame = pl.DataFrame({"h": values})
    read = pl.DataFrame({"h": LISTS}, schema={"h": pl.List(pl.Int64)})
    bags = [to_bag(f["h"], None, bag)[0][0].to_list() for f in (frame, read)]
    strip = [[e.lstrip("i ") for e in one] for one in bags[0]]
    assert strip == bags[1]


@pytest.mark.parametrize(
    ("values", "separator", "brackets"),
    [
        (pl.Series(VECTORS.tolist()), None, False),
        (pl.Series(VECTORS.tolist(), dtype=pl.Array(pl.Float32, 64)), None, False),
        (pl.Series([None, *VECTORS[1:].tolist()]), None, False),
        ([str(v.round(3).tolist()) for v in VECTORS], None, True),
        (["[" + "  ".join(f"{x:.3f}" for x in v) + "]" for v in VECTORS], " ", True),
        (["|".join(f"{x:.3f}" for x in v) for v in VECTORS], "|", False),
        ([", ".join(f"{x:.3e}" for x in v) for v in VECTORS], ",", False),
    ],
)
def test_fixed_length_fractions_are_vectors(
    values: object, separator: str | None, brackets: bool
) -> None:
    schema, text = draft(embedding=values)
    vector = schema.vector[0]
    assert (vector.size, vector.separator, vector.brackets) == (64, separator, brackets)
    assert "vectors of 64 numbers" in line(text, "embedding")


def test_lists_of_one_length_that_hold_ids_are_no_vectors() -> None:
    schema, _ = draft(history=RNG.integers(0, 30, (ROWS, 5)).tolist())
    assert kind(schema, "history") == "multi"


def test_records_are_features_by_their_fields() -> None:
    device = pl.Series([{"os": "a", "geo": {"city": f"c{k}"}} for k in SHOP])
    schema, text = draft(device=device)
    assert kind(schema, "device.geo.city") == "categorical"
    assert "is the same in every row" in line(text, "device.os")


def test_weights_of_other_lengths_are_no_weights() -> None:
    weights = [[0.5] * len(x) for x in LISTS]
    assert draft(h=LISTS, h_weights=weights)[0].multi[0].weights == "h_weights"
    schema, text = draft(
        h=LISTS, h_weights=[[0.5], *weights[1:]] if LISTS[0] == [] else [[], *weights[1:]]
    )
    assert schema.multi[0].weights is None
    assert "no list of numbers as long as the one" in line(text, "h_weights")


def test_a_draft_can_fail_to_be_accepted() -> None:
    """The test of acceptance sees the faults that it looks for."""
    frame, _ = odd_log(0)
    broken = {"click": "click", "conversion": "buy", "categorical": ["shop"]}
    frame = frame.with_columns(pl.Series("tags", ["[1, 2]", "[3]"] * (frame.height // 2)))
    schema = LogSchema.parse({**broken, "multi": [{"name": "tags", "separator": ","}]})
    assert "list-as-text" in [e.code for e in check_log(schema, FrameSource(frame)).errors]
