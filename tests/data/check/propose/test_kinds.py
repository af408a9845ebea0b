"""What a draft makes of single columns: missing tokens, ids, lists, vectors, roles."""

import json

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.odd_columns import odd_log
from postclick.data.check.check_log import check_log
from postclick.data.check.propose import propose_schema
from postclick.data.check.propose.facts import column_facts
from postclick.data.check.propose.roles import role_of
from postclick.data.read.log_source import FrameSource
from postclick.data.read.values.lists import to_bag
from postclick.data.read.values.value_rules import DEFAULT_MISSING
from postclick.data.schema import LogSchema

ROWS = 2000
RNG = np.random.default_rng(0)
CLICK = RNG.random(ROWS) < 0.4
BUY = CLICK & (RNG.random(ROWS) < 0.4)
SHOP = RNG.integers(0, 50, ROWS)
PRICES = [f"{x:.2f}" for x in RNG.lognormal(2, 0.5, ROWS)]
AGES = RNG.integers(18, 80, ROWS)
LISTS = [RNG.integers(0, 30, n).tolist() for n in RNG.integers(0, 5, ROWS)]
VECTORS = RNG.normal(size=(ROWS, 64))


def draft(**columns: object) -> tuple[LogSchema, str]:
    frame = pl.DataFrame({"click": CLICK, "buy": BUY, "shop": SHOP}).with_columns(
        (v if isinstance(v, pl.Series) else pl.Series(v)).alias(name) for name, v in columns.items()
    )
    text = propose_schema(FrameSource(frame))
    schema = LogSchema.parse(yaml.safe_load(text))
    assert check_log(schema, FrameSource(frame)).errors == ()
    return schema, text


def line(text: str, name: str) -> str:
    return next(one for one in text.splitlines() if name in one.partition("#")[0])


def kind(schema: LogSchema, name: str) -> str:
    kinds = ("categorical", "numeric", "multi", "vector")
    return next((k for k in kinds if name in [f.name for f in getattr(schema, k)]), "ignore")


def with_holes(values: list[str], *tokens: str, each: int = 60) -> list[str]:
    holes, values = RNG.permutation(ROWS), list(values)
    for k, token in enumerate(tokens):
        for row in holes[k * each : (k + 1) * each]:
            values[row] = token
    return values


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


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("order_value", RNG.random(ROWS), "outcome by its name"),
        ("gmv", RNG.random(ROWS), "outcome by its name"),
        ("purchaseTime", RNG.integers(1, 9999, ROWS), "outcome by its name"),
        ("dwell_time", RNG.random(ROWS), "outcome by its name"),
        ("is_like", SHOP > 25, "outcome by its name"),
        ("position", 1 + SHOP, "known only after ranking"),
        ("ad_rank", 1 + SHOP, "known only after ranking"),
        ("page", 1 + SHOP, "known only after ranking"),
        ("sample_weight", RNG.random(ROWS), "looks like a sample weight"),
        ("ipw", 1 + RNG.random(ROWS), "looks like a sample weight"),
        ("session_id", RNG.integers(0, 500, ROWS), "does not come again"),
        ("requestid", RNG.integers(0, 500, ROWS), "does not come again"),
        ("us", [f"{m:02d}/05/2026" for m in 1 + SHOP % 12], "not written as ISO 8601"),
        ("raw", pl.Series([b"\xff", b"\xfe"] * 1000), "holds bytes: cast it to text"),
        ("none", pl.Series([{}] * ROWS, dtype=pl.Struct({})), "holds records without fields"),
        ("tags", pl.Series([[{"key": "a", "value": 1}]] * ROWS), "holds maps: write the keys"),
        ("pairs", pl.Series([[[1, 2]]] * ROWS), "holds lists of records or of lists"),
        ("json", ['{"a": 1}', '{"a": 2}'] * 1000, "holds JSON records"),
        ("took", pl.Series([1, 2] * 1000).cast(pl.Duration("ms")), "holds durations"),
    ],
)
def test_what_is_no_feature_is_ignored_and_why(name: str, values: object, why: str) -> None:
    schema, text = draft(**{name: values})
    assert name in schema.ignore
    assert why in line(text, name)


@pytest.mark.parametrize(
    "name",
    ["avg_order_value", "user_click_count", "ctr_7d", "payment_type", "slot_width", "page_id"],
)
def test_what_is_known_before_is_a_feature(name: str) -> None:
    assert name in draft(**{name: AGES})[0].feature_names


def test_a_sample_weight_is_proposed_but_not_chosen() -> None:
    schema, text = draft(sample_weight=RNG.random(ROWS))
    assert schema.weight is None
    chosen = text.replace("# weight:", "weight:").replace("  - sample_weight", "  # sample_weight")
    chosen = chosen.replace("ignore:\n", "")
    assert LogSchema.parse(yaml.safe_load(chosen)).weight == "sample_weight"


def test_the_finest_time_is_chosen_and_partitions_are_left_out() -> None:
    days = RNG.integers(0, 9, ROWS)
    moments = pl.Series(1_767_600_000_000 + 86_400_000 * days + AGES).cast(pl.Datetime("ms"))
    schema, _ = draft(
        dt=[f"2026-01-0{1 + d}" for d in days],
        hour=26_010_100 + 100 * days + SHOP % 24,
        shown_at=moments,
        paid_at=moments.set(pl.Series(~BUY), None),
    )
    assert schema.time == "shown_at"
    assert set(schema.ignore) == {"dt", "hour", "paid_at"}
    assert draft(hour=26_010_100 + 100 * days + SHOP % 24)[0].time == "hour"


@pytest.mark.parametrize(
    ("form", "role"),
    [
        ("%Y-%m-%d %H:%M:%S", "time"),
        ("%Y-%m-%dT%H:%M:%SZ", "time"),
        ("%Y-%m-%d %H:%M", "time"),
        ("%d/%m/%Y %H:%M:%S", "ignore"),
        ("%d.%m.%Y %H:%M", "ignore"),
        ("%H:%M:%S", "ignore"),
    ],
)
def test_times_in_text_are_no_lists_though_one_is_midnight(form: str, role: str) -> None:
    """Midnight is a date in canonical text, without the colons that the others have."""
    seconds = np.sort(RNG.integers(0, 5 * 86_400, ROWS))
    seconds[ROWS // 2] = 2 * 86_400
    at = pl.Series(1_767_225_600 + seconds).cast(pl.Int64) * 1_000_000
    facts = column_facts(at.cast(pl.Datetime("us")).dt.strftime(form).alias("at"))
    assert (facts.lists, role_of(facts).kind) == (None, role)


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


def test_an_exposure_is_proposed_but_not_chosen() -> None:
    schema, text = draft(position=1 + SHOP)
    assert schema.exposure is None
    chosen = text.replace("# exposure:", "exposure:").replace("  - position", "  # position")
    chosen = chosen.replace("ignore:\n", "")
    parsed = LogSchema.parse(yaml.safe_load(chosen))
    assert parsed.exposure is not None
    assert parsed.exposure.column == "position"
    assert "# exposure" not in draft(slot_width=AGES)[1]
