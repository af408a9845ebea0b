"""Efficient scores against a slow implementation that shares no code with them."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats  # type: ignore[import-untyped]
from scipy.special import expit, logit  # type: ignore[import-untyped]

from postclick.judging.exposure.hypotheses import omnibus, trend
from postclick.judging.exposure.score import level_scores, nuisance, recalibrated

Array = NDArray[Any]


def clicked(rng: np.random.Generator, rows: int, levels: int) -> dict[str, Array]:
    """Rows of a model that is too flat, with units that convert together."""
    unit = rng.integers(0, rows // 4, rows)
    truth = rng.normal(-1.5, 1.0, rows) + rng.normal(0, 0.8, rows // 4)[unit]
    return {
        "pcvr": expit(0.4 + 0.7 * truth + rng.normal(0, 0.3, rows)),
        "pctr": expit(truth + rng.normal(size=rows)),
        "conversion": (rng.random(rows) < expit(truth)).astype(float),
        "level": rng.integers(0, levels, rows),
        "weight": rng.integers(1, 4, rows).astype(float),
        "unit": np.unique(unit, return_inverse=True)[1],
    }


def by_hand(columns: Array, rows: dict[str, Array], levels: int) -> tuple[Array, Array, Array]:
    """Total, variance and information by a general optimizer, dense dummies and a loop."""
    v, w = rows["conversion"], rows["weight"]

    def loss(b: Array) -> float:
        return float(-(w @ (v * (columns @ b) - np.logaddexp(0, columns @ b))) / w.sum())

    def slope(b: Array) -> Array:
        return -(columns.T @ (w * (v - expit(columns @ b)))) / w.sum()

    start = np.zeros(columns.shape[1])
    fit = optimize.minimize(loss, start, jac=slope, method="BFGS", options={"gtol": 1e-10})
    mean = expit(columns @ fit.x)
    dummies = (rows["level"][:, None] == np.arange(levels)).astype(float)
    root = np.sqrt(w * mean * (1 - mean))[:, None]
    # Weighted least squares of the dummies on the nuisance columns.
    on = np.linalg.lstsq(root * columns, root * dummies, rcond=None)[0]
    left = dummies - columns @ on
    score = left * (w * (v - mean))[:, None]
    variance = np.zeros((levels, levels))
    for one in np.unique(rows["unit"]):
        summed = score[rows["unit"] == one].sum(axis=0)
        variance += np.outer(summed, summed)
    return score.sum(axis=0), variance, (root * left).T @ (root * left)


@pytest.mark.parametrize("levels", [2, 5])
@pytest.mark.parametrize("with_pctr", [False, True])
def test_scores_are_those_of_the_slow_way(levels: int, with_pctr: bool) -> None:
    rows = clicked(np.random.default_rng(levels), 600, levels)
    columns = nuisance(rows["pcvr"], rows["pctr"] if with_pctr else None)
    assert columns.shape[1] == 3 + with_pctr
    given = (rows[name] for name in ("conversion", "level"))
    scores = level_scores(columns, *given, levels, rows["weight"], rows["unit"])
    total, variance, information = by_hand(columns, rows, levels)
    assert scores is not None
    np.testing.assert_allclose(scores.total, total, atol=1e-5)
    np.testing.assert_allclose(scores.variance, variance, atol=1e-4)
    np.testing.assert_allclose(scores.information, information, atol=1e-5)
    assert abs(scores.total.sum()) < 1e-8, "the intercept takes what is common to all"

    order = np.linspace(0.0, 1.0, levels) ** 2
    found = trend(scores, order, by_ctr=True, z=1.96)
    assert found is not None and found.strength is not None
    assert found.z == pytest.approx(order @ total / np.sqrt(order @ variance @ order), rel=1e-5)
    assert found.strength == pytest.approx(order @ total / (order @ information @ order), rel=1e-5)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(found.z)))
    any_way = omnibus(scores)
    assert any_way is not None and any_way.df == levels - 1
    # Any level may be left out: the others hold all there is.
    for out in range(levels):
        kept = np.arange(levels) != out
        form = total[kept] @ np.linalg.solve(variance[np.ix_(kept, kept)], total[kept])
        assert any_way.chi_square == pytest.approx(form, rel=1e-4)
    assert any_way.p == pytest.approx(stats.chi2.sf(any_way.chi_square, levels - 1), rel=1e-9)


def test_chunks_of_units_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clicked(np.random.default_rng(0), 900, 4)
    columns = nuisance(rows["pcvr"])
    given = (columns, rows["conversion"], rows["level"], 4, rows["weight"], rows["unit"])
    whole = level_scores(*given)
    monkeypatch.setattr("postclick.judging.exposure.score._CHUNK", 40)
    pieces = level_scores(*given)
    assert whole is not None and pieces is not None
    np.testing.assert_allclose(pieces.variance, whole.variance, rtol=1e-10)


def test_one_step_from_no_effect_nearly_reaches_the_fitted_coefficient() -> None:
    rng = np.random.default_rng(1)
    level, truth = rng.integers(0, 6, 40_000), rng.normal(-1, 1, 40_000)
    v = (rng.random(40_000) < expit(truth + 0.1 * level)).astype(float)
    columns, order = nuisance(expit(truth)), np.arange(6.0)
    scores = level_scores(columns, v, level, 6, np.ones(40_000), np.arange(40_000))
    assert scores is not None
    found = trend(scores, order, by_ctr=True, z=1.96)
    assert found is not None and found.strength is not None and found.standard_error is not None
    design = np.column_stack([columns, order[level]])
    fit = optimize.minimize(
        lambda b: np.logaddexp(0, design @ b).mean() - (v * (design @ b)).mean(),
        np.zeros(design.shape[1]),
    )
    mean = expit(design @ fit.x)
    error = np.sqrt(np.linalg.inv((design * (mean * (1 - mean))[:, None]).T @ design)[-1, -1])
    assert found.strength == pytest.approx(fit.x[-1], rel=0.02)
    assert found.standard_error == pytest.approx(error, rel=0.03)
    assert found.strength == pytest.approx(0.1, abs=3 * error)


def test_nuisance_spans_every_recalibration() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0.01, 0.9, 500)
    for other in (expit(0.3 + 1.7 * logit(p)), expit(-2.0 - 0.2 * logit(p))):
        spans = [np.linalg.qr(nuisance(one))[0] for one in (p, other)]
        np.testing.assert_allclose(spans[0] @ spans[0].T, spans[1] @ spans[1].T, atol=1e-10)


@pytest.mark.parametrize(
    ("p", "columns"),
    [
        ([0.2, 0.2, 0.2], 1),
        ([0.2, 0.4, 0.2], 2),
        ([0.0, 1.0, 0.5], 3),
    ],
)
def test_nuisance_leaves_out_what_is_there_already(p: list[float], columns: int) -> None:
    found = nuisance(np.array(p))
    assert found.shape == (3, columns) and np.isfinite(found).all()
    assert np.linalg.matrix_rank(found) == columns


def test_no_fit_where_conversions_are_told_without_error() -> None:
    x = np.linspace(-1, 1, 40)
    columns, v = np.column_stack([np.ones(40), x]), (x > 0).astype(float)
    assert recalibrated(columns, v, np.ones(40)) is None
    level = np.arange(40) % 2
    # The last column is given up, and the rest can be fitted.
    scores = level_scores(columns, v, level, 2, np.ones(40), np.arange(40))
    plain = level_scores(columns[:, :1], v, level, 2, np.ones(40), np.arange(40))
    assert scores is not None and plain is not None
    np.testing.assert_allclose(scores.total, plain.total)
