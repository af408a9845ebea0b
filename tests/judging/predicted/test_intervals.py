"""Intervals and differences against a plain bootstrap by group, and against DeLong."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from helpers.predictions import difference, predictions
from helpers.reference_metrics import closed_testing
from postclick import judge
from postclick.judging.predicted.compared import two_sided
from postclick.metrics import gauc
from postclick.stats import auc_difference, auc_interval, detectable_difference

Floats = NDArray[np.float64]
DRAWS = 1500


def grouped(rows: int = 500, seed: int = 0) -> pl.DataFrame:
    """Users of about 12 rows whose rates differ, so that rows of one are not independent."""
    rng = np.random.default_rng(seed)
    user = rng.integers(1, 1 + rows // 12, rows)
    drift = rng.normal(0, 1, rows // 12 + 1)[user]
    p = 1 / (1 + np.exp(-(drift + rng.normal(0, 0.5, rows))))
    q = 1 / (1 + np.exp(-(drift - 0.5 + rng.normal(0, 0.5, rows))))
    click = rng.random(rows) < p
    return pl.DataFrame(
        {
            "user": user,
            "click": click.astype(int),
            "conversion": (click & (rng.random(rows) < q)).astype(int),
            "pctr_a": p,
            "pcvr_a": q,
            "pctr_b": np.clip(p * rng.uniform(0.7, 1.1, rows), 0.01, 0.99),
            "pcvr_b": np.clip(q * rng.uniform(0.7, 1.1, rows), 0.01, 0.99),
        }
    )


def of_clicked(log: pl.DataFrame, model: str) -> dict[str, float]:
    """NLL, PCOC and GAUC of pCVR among clicked rows, by the textbook."""
    seen = log.filter(pl.col("click") == 1)
    y, p = seen["conversion"].to_numpy(), seen[f"pcvr_{model}"].to_numpy()
    within = gauc(p, y, seen["user"].to_numpy())
    return {
        "cvr_nll": float(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))),
        "cvr_pcoc": float(p.sum() / y.sum()),
        "cvr_gauc": np.nan if within is None else float(within),
    }


def drawn_by_user(log: pl.DataFrame) -> list[pl.DataFrame]:
    """Resamples: as many users as there are, with replacement, each copy a user of its own."""
    rng = np.random.default_rng(9)
    user = log["user"].to_numpy()
    rows = [np.flatnonzero(user == k) for k in np.unique(user)]
    found = []
    for _ in range(300):
        chosen = [rows[k] for k in rng.integers(0, len(rows), len(rows))]
        copy = np.repeat(np.arange(1, len(rows) + 1), [one.size for one in chosen])
        found.append(log[np.concatenate(chosen)].with_columns(user=pl.Series(copy)))
    return found


def test_intervals_are_those_of_a_plain_bootstrap_by_group() -> None:
    log = grouped(2_000)
    judged = judge(log, group="user", resamples=DRAWS)
    by_rows = judge(log, resamples=DRAWS)
    resamples = drawn_by_user(log)
    table = {m: [of_clicked(one, m) for one in resamples] for m in ("a", "b")}
    for metric, value in of_clicked(log, "a").items():
        one = judged.figure("a", metric, "clicked")
        assert one is not None
        assert one.value == pytest.approx(value, rel=1e-10)
        plain = np.array([row[metric] for row in table["a"]])
        # 300 resamples know their own standard error to 4 %.
        assert one.standard_error == pytest.approx(plain.std(ddof=1), rel=0.2)
        low, high = np.quantile(plain, [0.025, 0.975])
        assert one.low == pytest.approx(low, abs=0.6 * plain.std())
        assert one.high == pytest.approx(high, abs=0.6 * plain.std())
        target = {"cvr_nll": -1.0, "cvr_gauc": 1.0}.get(metric)
        both = [np.array([row[metric] for row in table[m]]) for m in ("a", "b")]
        gains = (
            abs(both[1] - 1) - abs(both[0] - 1) if target is None else target * (both[0] - both[1])
        )
        found = difference(judged, metric, "clicked", "a", "b")
        assert found.standard_error == pytest.approx(gains.std(ddof=1), rel=0.25)
    # Users repeat: intervals over rows are too narrow.
    grouped_nll, nll = judged.figure("a", "ctr_nll"), by_rows.figure("a", "ctr_nll")
    assert grouped_nll is not None
    assert nll is not None
    assert (grouped_nll.standard_error or 0) != nll.standard_error


def test_auc_intervals_over_rows_are_delongs() -> None:
    log = predictions(900, seed=5)
    judged = judge(log, resamples=40)
    seen = log.filter(pl.col("click") == 1)
    y, a, b = (seen[name].to_numpy() for name in ("conversion", "pcvr_a", "pcvr_b"))
    one = judged.figure("a", "cvr_auc")
    assert one is not None
    expected = auc_interval(a, y)
    assert one.value == pytest.approx(expected.value, rel=1e-12)
    assert one.standard_error == pytest.approx(expected.standard_error, rel=0.005)
    assert one.low == pytest.approx(expected.low, abs=1e-3)
    assert one.high == pytest.approx(expected.high, abs=1e-3)
    found, paired = difference(judged, "cvr_auc", "clicked", "a", "b"), auc_difference(a, b, y)
    assert found.gain == pytest.approx(paired.difference, rel=1e-10)
    assert found.standard_error == pytest.approx(paired.standard_error, rel=0.005)
    assert found.p == pytest.approx(paired.p, rel=0.05)


@pytest.mark.parametrize("options", [{}, {"group": "user"}, {"weight": "times"}])
def test_a_model_against_itself_gains_nothing(options: Any) -> None:
    log = predictions(500).with_columns(
        *(pl.col(f"p{kind}_a").alias(f"p{kind}_{name}") for kind in ("ctr", "cvr") for name in "cd")
    )
    judged = judge(log, true_cvr="true", resamples=100, **options)
    same = [one for one in judged.differences if {one.model, one.against} <= {"a", "c", "d"}]
    assert len(same) > 40
    for one in same:
        assert (one.gain, one.low, one.high, one.standard_error) == (0.0, 0.0, 0.0, 0.0), one
        assert (one.p, one.holm, one.detectable) == (1.0, 1.0, 0.0)


def test_gains_point_to_the_better_model_and_are_opposite() -> None:
    log = predictions(700, seed=2)
    judged = judge(log, group="user", true_cvr="true", resamples=100)
    assert judged.differences
    for one in judged.differences:
        back = difference(judged, one.metric, one.space, one.against, one.model)
        assert back.gain == pytest.approx(-one.gain, abs=1e-14)
        assert (back.low, back.high) == (
            pytest.approx(-one.high, abs=1e-12),
            pytest.approx(-one.low, abs=1e-12),
        )
        values = [judged.value(name, one.metric, one.space) for name in (one.model, one.against)]
        first, second = (float("nan") if v is None else v for v in values)
        if one.metric.partition("_")[2] == "pcoc" or "bias" in one.metric:
            target = 0.0 if "bias" in one.metric else 1.0
            expected = abs(second - target) - abs(first - target)
        elif one.metric.endswith("nll"):
            expected = second - first
        else:
            expected = first - second
        assert one.gain == pytest.approx(expected, abs=1e-12), one
    # The noisier model is worse.
    assert difference(judged, "ctr_auc", "entire", "a", "b").gain > 0
    assert difference(judged, "ctr_nll", "entire", "a", "b").gain > 0


def test_p_values_are_corrected_over_the_models_compared_with_one() -> None:
    rng = np.random.default_rng(1)
    log = predictions(500, seed=4)
    more = {f"pcvr_{k}": np.clip(log["pcvr_a"].to_numpy() + rng.normal(0, 0.1, 500), 0, 1)
            for k in "xyz"}  # fmt: skip
    log = log.with_columns(**{name: pl.Series(values) for name, values in more.items()})
    judged = judge(log, resamples=60)
    for against in ("a", "b", "x"):
        family = [
            one for one in judged.differences if (one.metric, one.against) == ("cvr_auc", against)
        ]
        assert len(family) == 4
        expected = closed_testing([one.p for one in family])
        assert [one.holm for one in family] == pytest.approx(expected, rel=1e-12)
        for one in family:
            assert one.p == two_sided(one.gain, one.standard_error)
            assert one.detectable == pytest.approx((1.959964 + 0.8416212) * one.standard_error)


def test_what_is_detectable_is_seen_with_the_power_that_is_said() -> None:
    rng = np.random.default_rng(0)
    least = detectable_difference(0.1, level=0.95, power=0.8)
    seen = np.mean(np.abs(rng.normal(least, 0.1, 200_000)) > 1.959964 * 0.1)
    assert seen == pytest.approx(0.8, abs=0.005)


def test_the_level_widens_intervals() -> None:
    log = predictions(500, seed=3)
    narrow, wide = (judge(log, level=level, resamples=300) for level in (0.5, 0.99))
    for a, b in zip(narrow.figures, wide.figures, strict=True):
        assert a.value == b.value
        if a.low is not None and a.high is not None:
            assert b.low is not None
            assert b.high is not None
            assert b.low <= a.low <= a.high <= b.high
    a, b = (difference(j, "cvr_auc", "clicked", "b", "a") for j in (narrow, wide))
    assert b.detectable > a.detectable


def test_the_seed_sets_intervals_and_no_value() -> None:
    log = predictions(400, seed=3)
    first, again, other = (judge(log, seed=seed, resamples=50) for seed in (1, 1, 2))
    assert first.figures == again.figures
    assert [one.value for one in first.figures] == [one.value for one in other.figures]
    assert [one.low for one in first.figures] != [one.low for one in other.figures]


def test_coverage_by_group_is_as_said() -> None:
    """Of 60 logs whose truth is known, intervals over users hold PCOC 1 in about 95 %."""
    held = {"user": 0, None: 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(1, 101), 10)
        rate = np.repeat(rng.beta(2, 2, 100), 10)
        click = rng.random(1000) < rate
        log = pl.DataFrame(
            {"user": user, "click": click.astype(int), "conversion": 0, "pctr": np.full(1000, 0.5)}
        )
        for group in held:
            one = judge(log, group=group, resamples=200).figure("model", "ctr_pcoc")
            assert one is not None
            assert one.low is not None
            assert one.high is not None
            held[group] += one.low <= 1 <= one.high
    assert held["user"] >= 52
    assert held[None] <= held["user"] - 5
