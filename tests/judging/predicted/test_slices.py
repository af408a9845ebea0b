"""Randomised rows and logs, propensities and exposure, against rows chosen and weighed by hand."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.predictions import close, figures, predictions, without
from postclick import InputError, judge
from postclick.judging.entire import fit_propensity

FEW: Any = {"resamples": 60}


def drawn(log: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """A third of the rows at random, with probabilities of a half and of a fifth."""
    rng = np.random.default_rng(seed)
    p = np.where(rng.random(len(log)) < 1 / 3, rng.choice([0.5, 0.2], len(log)), 0.0)
    return log.with_columns(drawn=pl.Series(p))


@pytest.mark.parametrize("weight", [None, "times"])
def test_randomised_rows_are_judged_alone_with_inverse_weights(weight: str | None) -> None:
    log = drawn(predictions(900, seed=1))
    options: Any = {"group": "user", "by": ["shop"], "true_cvr": "true", **FEW}
    judged = judge(log, randomised="drawn", weight=weight, **options)
    w = 1.0 / pl.col("drawn") * (1.0 if weight is None else pl.col(weight))
    alone = log.filter(pl.col("drawn") > 0).with_columns(w=w)
    expected = judge(alone, weight="w", **options)
    assert judged.randomised is not None
    close(without(judged.randomised, "roles"), without(expected, "roles"), 1e-11)
    # The whole log is judged as ever.
    whole = judge(log, weight=weight, **options)
    close(without(judged, "roles", "randomised"), without(whole, "roles", "randomised"), 1e-12)


def test_missing_and_zero_are_not_random() -> None:
    log = predictions(300).with_columns(
        drawn=pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(1.0)
        .when(pl.col("click") == 1)
        .then(0.0)
    )
    judged = judge(log, randomised="drawn", **FEW)
    assert judged.randomised is not None
    assert judged.randomised.rows == 100
    none = judge(log.with_columns(drawn=pl.lit(0)), randomised="drawn", **FEW)
    assert none.randomised is None
    assert any("'drawn'" in one for one in none.findings)


def test_a_second_log_is_judged_by_the_roles_that_it_has() -> None:
    log, other = predictions(400, seed=2), predictions(300, seed=3)
    options: Any = {"by": ["shop", "price"], "time": "day", **FEW}
    judged = judge(log, group="user", randomised_log=other.drop("user", "day", "price"), **options)
    expected = judge(other, by=["shop"], **FEW)
    assert judged.randomised is not None
    close(without(judged.randomised, "roles"), without(expected, "roles"), 1e-12)
    with pytest.raises(InputError, match="pcvr_b"):
        judge(log, randomised_log=other.drop("pcvr_b"), **FEW)


def test_a_second_log_has_its_own_decimals(tmp_path: Any) -> None:
    log = predictions(200, seed=2).select("click", "conversion", "pctr_a", "pcvr_a")
    log.write_csv(tmp_path / "points.csv")
    log.write_csv(tmp_path / "commas.tsv", separator="\t", decimal_comma=True)
    judged = judge(tmp_path / "points.csv", randomised_log=tmp_path / "commas.tsv", **FEW)
    assert judged.randomised is not None
    close(figures(judged.randomised), figures(judged), 1e-12)


def test_the_entire_space_is_weighed_by_the_propensity_asked_for() -> None:
    """Self-normalised IPW by hand: clicked rows weighed by 1 / max(e, clip)."""
    log = predictions(1_500, seed=4).with_columns(e=(pl.col("pctr_a") * 0.8 + 0.1))
    seen = log.filter(pl.col("click") == 1)
    y = seen["conversion"].to_numpy()
    for propensity, columns in (("e", ("e", "e")), ("pctr", ("pctr_a", "pctr_b"))):
        judged = judge(log, propensity=propensity, group="user", clip=0.2, **FEW)
        assert judged.entire is not None
        for model, column in zip("ab", columns, strict=True):
            w = 1.0 / np.maximum(seen[column].to_numpy(), 0.2)
            found = judged.entire["models"][model]["estimates"]
            mean = float((w * y).sum() / w.sum())
            assert found["mean_cvr"]["snipw"]["value"] == pytest.approx(mean, rel=1e-9)
            p = seen[f"pcvr_{model}"].to_numpy()
            nll = -np.log(np.where(y == 1, p, 1 - p))
            assert found["nll"]["snipw"]["value"] == pytest.approx(
                float((w * nll).sum() / w.sum()), rel=1e-9
            )
    assert judge(log, **FEW).entire is None


def test_a_propensity_is_fitted_on_the_features_that_are_named() -> None:
    log = predictions(1_200, seed=5)
    judged = judge(log, propensity="fit", features=["shop", "price"], **FEW)
    assert judged.entire is not None
    assert "on shop, price" in judged.entire["propensity"]
    assert judged.balance is not None
    features = {one["feature"] for one in judged.balance["features"]}
    assert features == {"shop", "price"}
    # Fitted by itself and handed over as a column it gives the same estimates.
    rows = np.arange(log.height)
    e = fit_propensity(log.select("shop", "price"), log["click"].to_numpy() == 1, unit=rows, seed=0)
    column = judge(log.with_columns(e=pl.Series(e)), propensity="e", **FEW)
    assert column.entire is not None
    close(column.entire["models"], judged.entire["models"], 1e-6)


def test_exposure_is_tested_and_cut_value_by_value() -> None:
    log = predictions(3_000, seed=6)
    judged = judge(log, exposure="position", **FEW)
    assert judged.exposure is not None
    assert set(judged.exposure) == {"a", "b"}
    text = judge(log.with_columns(pl.col("position").cast(pl.String)), exposure="position", **FEW)
    close(text.exposure, judged.exposure, 1e-12)
    assert "position" in judged.exposure["a"]["sentence"]
    assert {one.feature for one in judged.segments} == {"position"}
