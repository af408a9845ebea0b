"""Which columns hold what, as people name them."""

import polars as pl
import pytest

from helpers.predictions import predictions
from postclick import InputError, judge
from postclick.judging.predicted.columns import ModelColumns, find_models, given_roles

FEW = {"resamples": 60}


def test_one_pctr_is_that_of_every_model_beside_it() -> None:
    found = find_models(["pctr", "pcvr_lgb", "pcvr_tf"])
    assert found == [
        ModelColumns("lgb", pctr="pctr", pcvr="pcvr_lgb"),
        ModelColumns("tf", pctr="pctr", pcvr="pcvr_tf"),
    ]


def test_a_model_of_its_own_keeps_its_pctr() -> None:
    assert [one.name for one in find_models(["pctr", "pcvr", "pcvr_new"])] == ["model", "new"]


def test_rules_are_written_as_text_in_python_too() -> None:
    log = predictions(300)
    amounts = log.with_columns(revenue=pl.col("conversion") * 9.5).drop("conversion")
    ruled = judge(amounts, conversion="revenue > 0", **FEW)
    assert ruled.conversions == judge(log, **FEW).conversions > 0


@pytest.mark.parametrize("rule", ["conversion >", "conversion is big"])
def test_a_rule_that_is_none_is_refused_in_one_line(rule: str) -> None:
    with pytest.raises(InputError, match="^conversion: .*does not say when the label is 1"):
        given_roles({"conversion": rule})


def test_features_may_be_one_text() -> None:
    log = predictions(300).with_columns(x=pl.lit("u"), y=pl.lit("v"))
    features = {one.feature for one in judge(log, by="x, y", **FEW).segments}
    assert features == {"x", "y"}


def test_a_date_may_be_cut_by_and_compared() -> None:
    log = predictions(300).with_columns(
        day=pl.date(2026, 1, 1) + pl.duration(days=pl.int_range(pl.len()) % 3), p=pl.lit(0.3)
    )
    judged = judge(log, by="day", propensity="p", **FEW)
    assert judged.balance is not None
    assert [one["feature"] for one in judged.balance["features"]] == ["day"]
