"""Rates by the values of features, against polars; and how values become segments."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from helpers.predictions import predictions, segments
from postclick import judge
from postclick.judging.value_names import MISSING, OTHERS

FEW: Any = {"resamples": 40}


def plain(log: pl.DataFrame, key: pl.Expr, model: str, weight: str | None) -> pl.DataFrame:
    """The same by `group_by`, as columns named by quantity."""
    w = pl.col("click") * 0.0 + 1.0 if weight is None else pl.col(weight).cast(pl.Float64)
    c, v = (pl.col(name).cast(pl.Float64) for name in ("click", "conversion"))
    p, q = pl.col(f"pctr_{model}"), pl.col(f"pcvr_{model}")
    return log.group_by(key.alias("value")).agg(
        rows=pl.len(),
        clicks=c.sum(),
        conversions=v.sum(),
        ctr_predicted=(w * p).sum() / w.sum(),
        ctr_observed=(w * c).sum() / w.sum(),
        ctr_pcoc=(w * p).sum() / (w * c).sum(),
        ctcvr_predicted=(w * p * q).sum() / w.sum(),
        ctcvr_observed=(w * v).sum() / w.sum(),
        ctcvr_pcoc=(w * p * q).sum() / (w * v).sum(),
        cvr_predicted=(w * c * q).sum() / (w * c).sum(),
        cvr_observed=(w * v).sum() / (w * c).sum(),
        cvr_pcoc=(w * c * q).sum() / (w * v).sum(),
    )


@pytest.mark.parametrize("weight", [None, "times"])
@pytest.mark.parametrize("group", [None, "user"])
def test_rates_are_those_of_a_group_by(weight: str | None, group: str | None) -> None:
    log = predictions(900, seed=1)
    judged = judge(log, by=["shop", "position"], weight=weight, group=group, **FEW)
    for feature in ("shop", "position"):
        for model in ("a", "b"):
            table = plain(log, pl.col(feature).cast(pl.String), model, weight)
            expected = {row["value"]: row for row in table.to_dicts()}
            for quantity in ("ctr", "ctcvr", "cvr"):
                found = segments(judged, feature, model, quantity)
                assert found.keys() == expected.keys()
                for value, one in found.items():
                    row = expected[value]
                    counts = (one.rows, one.clicks, one.conversions)
                    assert counts == (row["rows"], row["clicks"], row["conversions"])
                    for name in ("predicted", "observed", "pcoc"):
                        expect = row[f"{quantity}_{name}"]
                        assert getattr(one, name) == pytest.approx(expect, rel=1e-10)
                    assert one.low is not None
                    assert one.high is not None
                    assert one.low <= (one.pcoc or 0) <= one.high


def test_the_auc_of_a_segment_is_scikit_learns() -> None:
    log = predictions(900, seed=2)
    judged = judge(log, by=["shop"], weight="times", **FEW)
    found = segments(judged, "shop", "b", "cvr")
    for value, one in found.items():
        part = log.filter((pl.col("shop") == value) & (pl.col("click") == 1))
        expected = roc_auc_score(
            part["conversion"], part["pcvr_b"], sample_weight=part["times"].to_numpy()
        )
        assert one.auc == pytest.approx(expected, rel=1e-12)
    assert {one.auc for one in segments(judged, "shop", "b", "ctr").values()} == {None}


def test_the_most_frequent_values_stand_alone_and_the_rest_together() -> None:
    rng = np.random.default_rng(0)
    values = [f"v{k}" for k in rng.geometric(0.2, 1_500)]
    log = predictions(1_500).with_columns(
        item=pl.Series([None if k % 11 == 0 else v for k, v in enumerate(values)])
    )
    counts = log["item"].value_counts().sort(["count", "item"], descending=[True, False])
    found = segments(judge(log, by=["item"], top=6, **FEW), "item", "a", "cvr")
    named = [v for v in found if v != OTHERS]
    order = sorted(counts.rows(), key=lambda row: (-row[1], MISSING if row[0] is None else row[0]))
    assert named == [MISSING if v is None else v for v, _ in order[:6]]
    assert list(found)[-1] == OTHERS
    assert found[OTHERS].rows == sum(n for _, n in order[6:])
    assert MISSING in named
    assert sum(one.rows for one in found.values()) == 1_500


def test_equally_frequent_values_are_in_the_order_of_their_names() -> None:
    log = predictions(400).with_columns(item=pl.Series([f"v{k % 50:02}" for k in range(400)]))
    for turned in (log, log.reverse(), log.sample(fraction=1.0, shuffle=True, seed=1)):
        found = segments(judge(turned, by=["item"], top=5, **FEW), "item", "a", "ctr")
        assert list(found) == ["v00", "v01", "v02", "v03", "v04", OTHERS]


def test_whole_numbers_are_categories_in_the_order_of_size() -> None:
    log = predictions(600)
    number = segments(judge(log, by=["position"], **FEW), "position", "a", "ctr")
    assert list(number) == ["1", "2", "3", "4"]
    assert {one.kind for one in number.values()} == {"categorical"}
    text = log.with_columns(pl.col("position").cast(pl.String))
    assert segments(judge(text, by=["position"], **FEW), "position", "a", "ctr") == number
    ids = log.with_columns(item=pl.Series(np.arange(600) % 100))
    assert OTHERS in segments(judge(ids, by=["item"], **FEW), "item", "a", "ctr")


def test_decimals_are_cut_into_buckets_of_equally_many_rows() -> None:
    log = predictions(1_000).with_columns(
        price=pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise("price")
    )
    found = segments(judge(log, by=["price"], **FEW), "price", "a", "cvr")
    assert {one.kind for one in found.values()} == {"numeric"}
    assert len(found) == 11
    assert list(found)[-1] == MISSING
    assert found[MISSING].rows == 100
    assert {one.rows for one in found.values()} == {90, 100}
    known = np.sort(log["price"].drop_nulls().to_numpy())
    for k, (value, one) in enumerate(list(found.items())[:-1]):
        low, high = (float(end) for end in value.split(" to "))
        assert (low, high) == (
            pytest.approx(known[90 * k], rel=1e-5),
            pytest.approx(known[90 * k + 89], rel=1e-5),
        )
        part = log.filter(
            pl.col("price").is_between(known[90 * k] - 1e-12, known[90 * k + 89] + 1e-12)
            & (pl.col("click") == 1)
        )
        assert one.predicted == pytest.approx(part["pcvr_a"].mean(), rel=1e-10)


def test_few_decimals_have_a_segment_each() -> None:
    log = predictions(300).with_columns(size=(pl.col("position") * 0.5))
    found = segments(judge(log, by=["size"], **FEW), "size", "a", "ctr")
    assert list(found) == ["0.5", "1", "1.5", "2"]


@pytest.mark.parametrize(
    ("step", "unit", "names"),
    [
        ("20m", "1h", "%Y-%m-%d %Hh"),
        ("9h", "1d", "%Y-%m-%d"),
        ("60h", "1w", "week(s) from %Y-%m-%d"),
    ],
)
def test_time_is_cut_by_hour_day_or_week(step: str, unit: str, names: str) -> None:
    start = pl.datetime(2026, 1, 5, 7, 30)
    log = predictions(100).with_columns(
        at=start + pl.int_range(pl.len()) * pl.duration(**_duration(step))
    )
    found = segments(judge(log, time="at", **FEW), "at", "a", "ctr")
    assert {one.kind for one in found.values()} == {"time"}
    key = pl.col("at").dt.truncate(unit)  # weeks begin on Mondays
    expected = log.group_by(key.alias("t")).agg(rows=pl.len()).sort("t")
    shown = expected.with_columns(pl.col("t").dt.strftime(names)).rows()
    assert [(value, one.rows) for value, one in found.items()] == shown
    text = log.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert segments(judge(text, time="at", **FEW), "at", "a", "ctr") == found


def _duration(step: str) -> dict[str, int]:
    unit = {"m": "minutes", "h": "hours", "d": "days"}[step[-1]]
    return {unit: int(step[:-1])}


def test_ordinal_times_are_cut_as_numbers() -> None:
    log = predictions(300).with_columns(round=pl.int_range(pl.len()) // 30)
    found = segments(judge(log, time="round", **FEW), "round", "a", "ctr")
    assert [(value, one.rows) for value, one in found.items()] == [(str(k), 30) for k in range(10)]
    many = log.with_columns(round=pl.int_range(pl.len()))
    wide = segments(judge(many, time="round", **FEW), "round", "a", "ctr")
    assert list(wide)[:2] == ["from 0", "from 8"]
    assert {one.rows for one in wide.values()} == {8, 4}


def test_a_column_with_a_role_is_cut_once_and_called_by_its_name() -> None:
    log = predictions(300)
    judged = judge(log, by=["position", "day", "shop"], exposure="position", time="day", **FEW)
    features = [one.feature for one in judged.segments]
    assert list(dict.fromkeys(features)) == ["shop", "day", "position"]
    for feature in dict.fromkeys(features):
        values = [one.value for one in judged.segments
                  if (one.feature, one.model, one.quantity) == (feature, "a", "ctr")]  # fmt: skip
        assert len(set(values)) == len(values)


def test_buckets_of_predictions_are_of_equally_many_rows() -> None:
    log = predictions(1_000, seed=5)
    judged = judge(log, group="user", weight="times", **FEW)
    for quantity, rows in (("ctr", log), ("cvr", log.filter(pl.col("click") == 1))):
        label = "click" if quantity == "ctr" else "conversion"
        ordered = rows.sort(f"p{quantity}_b")
        parts = [one for one in judged.buckets if (one.model, one.quantity) == ("b", quantity)]
        assert [one.number for one in parts] == list(range(10))
        at = 0
        for one in parts:
            part = ordered[at : at + one.rows]
            at += one.rows
            w = part["times"].to_numpy()
            assert abs(one.rows - len(rows) / 10) <= 1
            observed = np.average(part[label].to_numpy(), weights=w)
            assert one.observed == pytest.approx(observed, rel=1e-10, abs=1e-12)
            predicted = np.average(part[f"p{quantity}_b"].to_numpy(), weights=w)
            assert one.predicted == pytest.approx(predicted, rel=1e-10)
            assert one.low <= one.observed <= one.high
        assert at == len(rows)
