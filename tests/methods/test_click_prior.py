"""`click_prior` on tiny logs: against a dense second implementation, and what it has to keep."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from helpers.exposed_log import exposed_log
from postclick import export, open_splits, prepare, train
from postclick.data.prepared import PreparedLog
from postclick.methods import ClickPrior, Naive
from postclick.methods.fitted import Fitting
from postclick.methods.linear_fit import LinearFit
from postclick.nn.exposure import GAIN
from postclick.progress import Silent
from postclick.runs.build import build_method
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.testing import check_fitted_method, check_method, fake_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return fake_log(tmp_path_factory.mktemp("logs") / "log", rows=3_000)


def dense(log: PreparedLog) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The training split as a dense design with an intercept last, clicks and conversions."""
    rows, inputs = log.rows("train"), log.inputs
    values = sum(inputs.field_sizes) + sum(inputs.bag_sizes)
    x = np.zeros((len(rows), values))
    for row, ids in enumerate(rows.ids.tolist()):
        x[row, ids] += 1
    for bag in rows.bags:
        ends = bag.offsets.tolist()
        for row in range(len(rows)):
            for at in range(ends[row], ends[row + 1]):
                x[row, int(bag.values[at])] += float(bag.weights[at])
    numbers = rows.numeric.double().numpy().copy()
    numbers[:, : inputs.numerics] = numbers[:, : inputs.numerics].clip(-4, 4)
    design = np.concatenate([x, numbers, np.ones((len(rows), 1))], axis=1)
    return design, rows.click.double().numpy(), rows.conversion.double().numpy()


def held(log: PreparedLog) -> np.ndarray:
    """Columns of values that training never saw: the first of each field."""
    sizes = (*log.inputs.field_sizes, *log.inputs.bag_sizes)
    return np.concatenate([[0], np.cumsum(sizes)[:-1]])


def newton(x: np.ndarray, y: np.ndarray, precision: np.ndarray, free: np.ndarray) -> np.ndarray:
    b = np.zeros(x.shape[1])
    for _ in range(40):
        p = 1 / (1 + np.exp(-x @ b))
        slope = x.T @ (p - y) + precision * b
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(precision)
        b[free] -= np.linalg.solve(hessian[np.ix_(free, free)], slope[free])
    return b


def test_it_is_what_newton_finds_on_a_dense_design(log: PreparedLog) -> None:
    found = build_method(
        RunSettings.make("click_prior", overrides=["variance=0.3", "factors=0"]), log
    )
    fit = LinearFit(log, found.inputs, log.base_rates, 0.3, threads=1, tolerance=1e-9)
    stages = {"clicks": fit.clicks()}
    stages["held_out"] = fit.held_out(stages["clicks"], folds=5)
    stages["conversions"] = fit.conversions(stages["held_out"]["scores"].numpy(), 1.0)
    found.fit(Fitting(log, lambda name, _: stages[name], threads=1, seed=0, reporter=Silent()))
    x, click, conversion = dense(log)
    precision = np.full(x.shape[1], 1 / 0.3)
    precision[-1] = 0
    free = np.setdiff1d(np.arange(x.shape[1]), held(log))
    clicks = newton(x, click, precision, free)
    fold = np.arange(len(click)) % 5
    score = np.zeros(len(click))
    for k in range(5):
        b = newton(x[fold != k], click[fold != k], precision, free)
        score[fold == k] = x[fold == k] @ b
    on = click > 0
    centre = score[on].mean()
    wider = np.concatenate([x[on, :-1], (score[on] - centre)[:, None], np.ones((on.sum(), 1))], 1)
    wide_precision = np.concatenate([precision[:-1], [1.0, 0.0]])
    b = newton(wider, conversion[on], wide_precision,
               np.setdiff1d(np.arange(wider.shape[1]), held(log)))  # fmt: skip
    p = 1 / (1 + np.exp(-wider @ b))
    hessian = (wider * (p * (1 - p))[:, None]).T @ wider + np.diag(wide_precision)
    free = np.setdiff1d(np.arange(len(b)), held(log))
    error = np.sqrt(np.linalg.inv(hessian[np.ix_(free, free)])[-2, -2])
    assert found.score_effect.numpy() == pytest.approx([b[-2], error, centre], abs=2e-4)
    values = sum(log.inputs.field_sizes) + sum(log.inputs.bag_sizes)
    table = found.embedding.table.detach().numpy()
    assert table[:, 0] == pytest.approx(clicks[:values], abs=2e-4)
    assert table[:, 1] == pytest.approx(b[:values], abs=2e-4)
    # What it serves of validation rows is this very sum.
    batch, _, _ = next(iter(log.sequential("train", 400)))
    prediction = found.predict(batch)
    z = x[:400] @ clicks
    plain = np.delete(b, -2)
    expected = x[:400] @ plain + b[-2] * (z - centre)
    assert prediction.ctr.detach().numpy() == pytest.approx(z, abs=1e-3)
    assert prediction.cvr.detach().numpy() == pytest.approx(expected, abs=1e-3)


def test_it_keeps_what_a_fitted_method_has_to_keep() -> None:
    found = check_fitted_method(
        ClickPrior,
        options=({}, {"score_variance": 0.0, "variance": 0.1}, {"folds": 2, "factors": 2}),
    )
    assert all(found.values())
    assert found.keys() >= {"exposure moves clicks alone", "goes on after a kill"}


def test_a_method_of_batches_is_not_checked_as_one_that_fits_itself() -> None:
    with pytest.raises(TypeError, match="check_fitted_method"):
        check_method(ClickPrior, waive_reference="it is a test")
    check = check_method(Naive, waive_reference="it is compared elsewhere")
    assert check


def test_products_are_taken_where_they_help_and_served(tmp_path: Path) -> None:
    """The log of `simulate` is additive; one whose conversions go by a product is not."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 12_000), rng.integers(0, 8, 12_000)
    left, right = rng.normal(size=8), rng.normal(size=8)
    click = rng.random(a.size) < 0.5
    buy = click & (rng.random(a.size) < 1 / (1 + np.exp(1 - 1.5 * left[a] * right[b])))
    frame = pl.DataFrame({"a": a, "b": b, "click": click, "buy": buy})
    schema = {"click": "click", "conversion": "buy", "categorical": ["a", "b"]}
    log = prepare(open_splits(schema, frame), tmp_path / "log")
    auc = {}
    for method in ("click_prior", "click_prior/no_factors"):
        run = train(log, RunSettings.make(method), tmp_path / method.replace("/", "-"))
        auc[method] = run.evaluate(log).value("cvr_auc")
        variance = run.explain().factor_variance
        assert (variance > 0) == (method == "click_prior")
    assert auc["click_prior"] > auc["click_prior/no_factors"] + 0.05
    pytest.importorskip("onnxruntime")
    export(Run(tmp_path / "click_prior"), tmp_path / "bundle")  # which checks parity


def test_the_exposure_is_found_and_kept_out_of_conversions(tmp_path: Path) -> None:
    log = exposed_log(tmp_path / "log", rows=6_000)
    found = train(log, RunSettings.make("click_prior"), tmp_path / "run").load()
    effect = GAIN * found.exposure.tables["ctr"][1:, 0].detach()
    # The log has +1.5, .5, -.5 and -1.5; values stand by how often they occur.
    assert np.sort(effect.numpy()) == pytest.approx([-1.5, -0.5, 0.5, 1.5], abs=0.35)
    assert int(effect.argmax()) != int(effect.argmin())
