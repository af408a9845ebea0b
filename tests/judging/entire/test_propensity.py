"""The fitted propensity against Newton's method, out of sample, and in bounded memory."""

import numpy as np
import polars as pl
import pytest

from postclick import extras
from postclick.errors import InputError
from postclick.judging.entire import PropensityFit, fit_propensity
from postclick.judging.entire.encoding import Encoding
from postclick.judging.entire.inputs import Floats
from postclick.judging.entire.kinds import feature_kinds
from postclick.judging.entire.propensity import fold_of
from postclick.judging.entire.sample import WEIGHT, ClickSample

ROWS = 3_000


def features(seed: int = 0) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """A frame, clicks that depend on it, and units of five rows."""
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, 6, ROWS)
    price = np.exp(rng.normal(size=ROWS))
    visits = rng.integers(0, 40, ROWS)
    click = rng.random(ROWS) < 1 / (1 + np.exp(1.5 - 0.5 * shop + 0.4 * np.log(price)))
    frame = pl.DataFrame(
        {
            "shop": [None if s == 5 else f"shop {s}" for s in shop],
            "price": np.where(rng.random(ROWS) < 0.05, np.nan, price),
            "visits": visits,
        }
    )
    return frame, click, np.arange(ROWS) // 5


def newton(x: Floats, click: np.ndarray, weight: Floats, strength: float) -> Floats:
    """Coefficients, the free intercept last."""
    x = np.column_stack([x, np.ones(len(x))])
    penalty = np.diag([strength] * (x.shape[1] - 1) + [0.0])
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (p - click)) + penalty @ beta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + penalty
        beta -= np.linalg.solve(hessian, gradient)
    return beta


@pytest.mark.parametrize("heaviest", [1, 3])
def test_cross_fitted_by_newtons_method(heaviest: int) -> None:
    """With weights too, which count relative to their mean."""
    frame, click, unit = features()
    weight = np.random.default_rng(1).integers(1, heaviest + 1, ROWS).astype(float)
    found = fit_propensity(frame, click, unit, weight, folds=3, strength=2.0)
    kinds = feature_kinds(frame.schema)
    dense = Encoding.learn(frame, kinds, weight).matrix(frame).toarray()
    weight /= weight.mean()
    fold = fold_of(unit, 3)
    for k in range(3):
        beta = newton(dense[fold != k], click[fold != k], weight[fold != k], 2.0)
        wanted = 1 / (1 + np.exp(-(dense[fold == k] @ beta[:-1] + beta[-1])))
        np.testing.assert_allclose(found[fold == k], wanted, rtol=0.03)


def test_encoding_by_hand() -> None:
    frame, _, _ = features()
    encoding = Encoding.learn(frame, feature_kinds(frame.schema), np.ones(ROWS))
    dense = encoding.matrix(frame).toarray()
    # Five shops, others, missing; 40 values of visits, others, missing.
    assert encoding.width == dense.shape[1] == 7 + 42 + 2 * (1 + 10 + 1)
    frequent = [
        s
        for s, _ in sorted(
            frame["shop"].drop_nulls().value_counts().rows(), key=lambda pair: (-pair[1], pair[0])
        )
    ]
    for column, shop in enumerate(frequent):
        np.testing.assert_array_equal(dense[:, column], (frame["shop"] == shop).fill_null(False))
    np.testing.assert_array_equal(dense[:, 6], frame["shop"].is_null())
    price = frame["price"].to_numpy()
    there = ~np.isnan(price)
    scaled = (price - price[there].mean()) / price[there].std()
    np.testing.assert_allclose(dense[there, 49], np.clip(scaled[there], -4, 4))
    assert not dense[~there, 49].any() and dense[~there, 60].all()
    tenth = dense[there][:, 50:60]
    assert (tenth.sum(axis=1) == 1).all()
    np.testing.assert_allclose(tenth.mean(axis=0), 0.1, atol=0.002)


@pytest.mark.parametrize("name", ["shop", "rows", "level"])
def test_rare_and_new_levels_are_pooled(name: str) -> None:
    frame = pl.DataFrame({name: ["a"] * 30 + ["b"] * 20 + ["c"] * 19})
    encoding = Encoding.learn(frame, {name: "category"}, np.ones(69))
    dense = encoding.matrix(pl.DataFrame({name: ["a", "b", "c", "new", None]})).toarray()
    assert dense.argmax(axis=1).tolist() == [0, 1, 2, 2, 3]


def test_no_row_is_scored_by_a_model_that_saw_its_unit() -> None:
    frame, click, unit = features()
    before = fit_propensity(frame, click, unit)
    mine = fold_of(unit, 5) == fold_of(np.array([17]), 5)[0]
    changed = click ^ (mine & (np.arange(ROWS) % 2 == 0))
    after = fit_propensity(frame, changed, unit)
    np.testing.assert_array_equal(before[mine], after[mine])
    assert (before[~mine] != after[~mine]).any()


def test_frames_and_chunks_make_no_difference() -> None:
    frame, click, unit = features()
    whole = fit_propensity(frame, click, unit)
    fit = PropensityFit()
    for start in range(0, ROWS, 700):
        rows = slice(start, start + 700)
        fit.add(frame[rows], click[rows], unit[rows])
    fitted = fit.fit()
    found = np.concatenate(
        [fitted.predict(frame[k : k + 999], unit[k : k + 999]) for k in range(0, ROWS, 999)]
    )
    np.testing.assert_allclose(found, whole, rtol=0.02)


def test_a_sample_is_bounded_and_stands_for_all() -> None:
    rng = np.random.default_rng(0)
    sample = ClickSample(rows=400, seed=0)
    for _ in range(20):
        x = rng.random(500)
        sample.add(pl.DataFrame({"x": x}), x > 0.95, np.arange(500), np.full(500, 2.0))
    kept = sample.frame()
    assert kept.height == 400
    assert kept[WEIGHT].sum() == pytest.approx(20_000)
    mean = float(np.average(kept["x"].to_numpy(), weights=kept[WEIGHT].to_numpy()))
    assert mean == pytest.approx(0.5, abs=0.07)


def test_rare_clicks_are_fitted_on_a_sample_as_on_all() -> None:
    frame, click, unit = features()
    whole = fit_propensity(frame, click, unit, features=["shop"])
    found = fit_propensity(frame, click, unit, features=["shop"], rows=1_200)
    assert found.mean() == pytest.approx(whole.mean(), abs=0.02)
    assert np.corrcoef(found, whole)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"folds": 1}, "1 folds leave nothing to learn from; give 2 or more"),
        ({"rows": 4}, "4 rows are too few for 5 folds"),
        ({"strength": 0.0}, "the strength of the penalty is 0.0; give one above 0"),
        ({"features": ["shp"]}, "no column is called 'shp' (did you mean 'shop'?)"),
        ({"features": []}, "there are no features; name one column or more"),
        ({"numeric": ["shop"]}, "'shop' is String, no number; name it as categorical"),
        ({"numeric": ["price"], "categorical": ["price"]}, "'price' is named as a category and"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        fit_propensity(*features(), **settings)
    assert words in str(caught.value)


def test_wrong_logs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, click, unit = features()
    with pytest.raises(InputError, match="no row is clicked among the"):
        fit_propensity(frame, np.zeros(ROWS), unit)
    with pytest.raises(InputError, match="there are no rows to fit a propensity on"):
        PropensityFit().fit()
    dated = frame.with_columns(day=pl.date(2026, 1, 1))
    with pytest.raises(InputError, match="'day' is Date, which is neither a category nor a number"):
        fit_propensity(dated, click, unit)
    fit = PropensityFit()
    fit.add(frame, click, unit)
    with pytest.raises(InputError, match="this frame has no column 'shop', which those before"):
        fit.add(frame.drop("shop"), click, unit)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        PropensityFit()
    assert str(caught.value) == (
        "fitting a propensity needs sklearn: pip install 'postclick[train]'"
    )


def test_types_that_differ_from_frame_to_frame() -> None:
    """What is the same in other types is the same; what is not is refused."""
    frame, click, unit = features()
    levels = ["shop", "visits"]
    wanted = fit_propensity(frame, click, unit, features=levels, categorical=["visits"])
    fit = PropensityFit(levels, categorical=["visits"])
    first = frame[:1_000].with_columns(pl.col("visits").cast(pl.Int8))
    fit.add(first, click[:1_000], unit[:1_000])
    rest = frame[1_000:].with_columns(pl.col("shop").cast(pl.Categorical))
    fit.add(rest, click[1_000:], unit[1_000:])
    fitted = fit.fit()
    np.testing.assert_allclose(fitted.predict(frame, unit), wanted, rtol=0.02)
    nothing = frame.with_columns(shop=pl.lit(None))
    assert fitted.predict(nothing, unit).std() < wanted.std()

    numbers = PropensityFit(["visits"])
    numbers.add(frame, click, unit)
    with pytest.raises(InputError, match="'visits' is String in this frame and was another type"):
        numbers.add(frame.with_columns(pl.col("visits").cast(pl.String)), click, unit)
