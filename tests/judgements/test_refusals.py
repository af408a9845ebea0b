"""What `judge` refuses: where, why, and a mend that works when it is followed."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.refusals import FEW, Case, assert_refused_and_mended, at, one_model, same
from postclick import InputError, judge


def unclicked(log: pl.DataFrame) -> int:
    """The first row without a click, counted from 1."""
    return int(np.flatnonzero(log["click"].to_numpy() == 0)[0]) + 1


CASES: dict[str, Case] = {
    "a click that is missing": (
        at(7, "click", None),
        {},
        ["'click'", "1 of rows 1 to 80", "row 7 (None)", "click '", "on_bad_rows=\"drop\""],
        same,
        {"on_bad_rows": "drop"},
    ),
    "a click that is missing, by a rule": (
        at(7, "click", None),
        {},
        ["click 'click > 0'"],
        same,
        {"click": {"column": "click", "positive": "> 0"}},
    ),
    "words as clicks": (
        lambda log: log.with_columns(
            click=pl.when(pl.col("click") == 1).then(pl.lit("yes")).otherwise(pl.lit("no"))
        ),
        {},
        ["'click' is neither 0 nor 1", "click 'click == "],
        same,
        {"click": {"column": "click", "positive": "== yes"}},
    ),
    "amounts as conversions": (
        lambda log: log.with_columns(conversion=pl.col("conversion") * 9.5),
        {},
        ["'conversion' is neither 0 nor 1", "(9.5)", "conversion 'conversion > 0'"],
        same,
        {"conversion": {"column": "conversion", "positive": "> 0"}},
    ),
    "a conversion without a click": (
        lambda log: at(unclicked(log), "conversion", 1)(log),
        {},
        ["'conversion' is 1 without a click", "first in row", "set it to 0 where nobody clicked"],
        lambda log: log.with_columns(conversion=pl.col("conversion") * pl.col("click")),
        {},
    ),
    "a conversion without a click, left out": (
        lambda log: at(unclicked(log), "conversion", 1)(log),
        {},
        ["on_bad_rows=\"drop\""],
        same,
        {"on_bad_rows": "drop"},
    ),
    "percents": (
        lambda log: log.with_columns(pcvr=pl.col("pcvr") * 100),
        {},
        ["'pcvr' (model 'model')", "row 1", "divide percents by 100"],
        lambda log: log.with_columns(pcvr=pl.col("pcvr") / 100),
        {},
    ),
    "logits": (
        lambda log: log.with_columns(pctr=(pl.col("pctr") / (1 - pl.col("pctr"))).log()),
        {},
        ["'pctr'", "1 / (1 + exp(-z))"],
        lambda log: log.with_columns(pctr=1 / (1 + (-pl.col("pctr")).exp())),
        {},
    ),
    "a prediction that is missing": (
        at(3, "pcvr", None),
        {},
        ["'pcvr'", "row 3 (None)", "leave such rows out"],
        lambda log: log.filter(pl.col("pcvr").is_not_null()),
        {},
    ),
    "a prediction that is no number": (
        at(3, "pcvr", float("nan")),
        {},
        ["'pcvr'", "row 3 (nan)", "fill it in"],
        lambda log: log.with_columns(pl.col("pcvr").fill_nan(0.5)),
        {},
    ),
    "a negative weight": (
        at(5, "times", -1),
        {"weight": "times"},
        ["weight 'times'", "row 5 (-1)", "from 0 to 1e+30"],
        at(5, "times", 1),
        {},
    ),
    "an infinite weight": (
        lambda log: at(5, "times", float("inf"))(log.with_columns(pl.col("times").cast(float))),
        {"weight": "times"},
        ["weight 'times'", "row 5 (inf)"],
        at(5, "times", 1.0),
        {},
    ),
    "a slip in a name": (
        same,
        {"by": ["shopp"]},
        ["no column 'shopp' for by", "did you mean 'shop'?"],
        same,
        {"by": ["shop"]},
    ),
    "a group that is not there": (
        same, {"group": "users"}, ["'users' for group", "'user'"], same, {"group": "user"},
    ),
    "labels of other names": (
        lambda log: log.rename({"click": "clicked"}),
        {},
        ["no column 'click' for click", "'clicked'", "click"],
        same,
        {"click": "clicked"},
    ),
    "a list as a feature": (
        lambda log: log.with_columns(tags=pl.concat_list("shop", "shop")),
        {"by": ["tags"]},
        ["feature 'tags' holds List", "give by another"],
        same,
        {"by": ["shop"]},
    ),
    "a list as an exposure": (
        lambda log: log.with_columns(tags=pl.concat_list("shop", "shop")),
        {"exposure": "tags"},
        ["feature 'tags' holds List", "give exposure another"],
        same,
        {"exposure": "position"},
    ),
    "words as times": (
        at(2, "shop", "03/04/2026"),
        {"time": "shop"},
        ["time column 'shop' holds", "no moment", "2026-01-05T10:30", "leave out time"],
        same,
        {"time": None},
    ),
    "no pCTR to weigh by": (
        lambda log: log.drop("pctr"),
        {"propensity": "pctr"},
        ["own pCTR", "none has one"],
        lambda log: log.with_columns(logged=pl.lit(0.5)),
        {"propensity": "logged"},
    ),
    "nothing to fit on": (
        same,
        {"propensity": "fit"},
        ["needs features", "features"],
        same,
        {"features": ["shop", "price"]},
    ),
    "a propensity out of range": (
        lambda log: log.with_columns(e=pl.col("price")),
        {"propensity": "e"},
        ["column 'e' (propensity) is no probability", "row 1"],
        lambda log: log.with_columns(e=pl.lit(0.3)),
        {},
    ),
    "a potential conversion that contradicts": (
        lambda log: log.with_columns(v=1 - pl.col("conversion")),
        {"potential_conversion": "v"},
        ["potential conversion 'v' is not what a clicked row recorded", "first in row"],
        lambda log: log.with_columns(v=pl.col("potential")),
        {},
    ),
    "a potential conversion that is a rate": (
        same,
        {"potential_conversion": "true"},
        ["potential conversion 'true' is neither 0 nor 1", "true_cvr"],
        same,
        {"potential_conversion": None, "true_cvr": "true"},
    ),
    "a bad level": (same, {"level": 95}, ["level is 95", "such as .95"], same, {"level": 0.95}),
    "a bad clip": (same, {"clip": 1.5}, ["clip is 1.5"], same, {"clip": 0.01}),
    "no value": (same, {"top": 0}, ["top is 0", "1 or more"], same, {"top": 1}),
    "few resamples": (same, {"resamples": 3}, ["resamples is 3", "40"], same, {"resamples": 40}),
    "resamples for no such level": (
        same,
        {"resamples": 199, "level": 0.99},
        ["resamples is 199: give 200 or more", "level 0.99"],
        same,
        {"resamples": 200},
    ),
    "an unknown rule for bad rows": (
        same, {"on_bad_rows": "skip"}, ["'skip'", "error or drop"], same, {"on_bad_rows": "drop"},
    ),
    "no rows": (lambda log: log[:0], {}, ["has no rows to judge"], lambda _: one_model(), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_message_says_what_and_where_and_its_mend_works(case: str) -> None:
    assert_refused_and_mended(CASES[case])


def test_rows_that_are_left_out_are_counted() -> None:
    log = at(7, "click", None)(one_model())
    judged = judge(log, on_bad_rows="drop", **FEW)
    assert judged.rows == 79
    assert any(one.startswith("left out 1 row: 'click'") for one in judged.findings)


def test_rows_are_counted_through_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 30)
    with pytest.raises(InputError, match=r"1 of rows 61 to 80, first in row 67 \(1\.5\)"):
        judge(at(67, "pcvr", 1.5)(one_model()), **FEW)


def test_a_feature_with_too_many_values_is_refused() -> None:
    rows = 100_001
    log = pl.DataFrame({"click": [1, 0] * 50_000 + [0], "pctr": [0.5] * rows}).with_columns(
        conversion=pl.lit(0), item=pl.int_range(rows)
    )
    with pytest.raises(InputError, match="feature 'item' has more than 100,000 values: give by"):
        judge(log, by=["item"], **FEW)


def test_a_place_that_is_taken_is_refused_before_the_log_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already: name another folder"):
        judge(one_model()[:0], out=tmp_path, **FEW)
