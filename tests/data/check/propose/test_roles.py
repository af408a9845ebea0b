"""Which columns a draft makes no features: outcomes, times, weights, exposures."""

import numpy as np
import polars as pl
import pytest
import yaml

from helpers.drafts import AGES, BUY, RNG, ROWS, SHOP, draft, line
from postclick.data.check.propose.facts import column_facts
from postclick.data.check.propose.roles import role_of
from postclick.data.schema import LogSchema


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


def test_an_exposure_is_proposed_but_not_chosen() -> None:
    schema, text = draft(position=1 + SHOP)
    assert schema.exposure is None
    chosen = text.replace("# exposure:", "exposure:").replace("  - position", "  # position")
    chosen = chosen.replace("ignore:\n", "")
    parsed = LogSchema.parse(yaml.safe_load(chosen))
    assert parsed.exposure is not None
    assert parsed.exposure.column == "position"
    assert "# exposure" not in draft(slot_width=AGES)[1]
