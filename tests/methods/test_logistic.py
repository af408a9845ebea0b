"""`logistic` against scikit-learn's logistic regression on a dense design, with row weights."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from postclick import train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.methods import Logistic
from postclick.methods.fitted import Fitting
from postclick.methods.linear_fit import LinearFit
from postclick.progress import Silent
from postclick.runs.build import build_method
from postclick.runs.settings import RunSettings
from postclick.testing import check_fitted_method

SCHEMA = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["shop"],
    "numeric": ["price"],
    "weight": "times",
}
VARIANCE = 0.4


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    rng = np.random.default_rng(0)
    n = 4_000
    shop, price = rng.integers(0, 9, n), rng.normal(size=n)
    click = rng.random(n) < 1 / (1 + np.exp(0.5 - 0.2 * shop + price))
    frame = pl.DataFrame(
        {
            "shop": shop,
            "price": price,
            "times": rng.integers(1, 6, n) / 2,
            "click": click.astype(np.int8),
            "buy": (click & (rng.random(n) < 1 / (1 + np.exp(shop / 5 - price)))).astype(np.int8),
        }
    )
    splits = LogSplits(LogSchema.parse(SCHEMA), FrameSource(frame))
    return prepare(splits, tmp_path_factory.mktemp("logs") / "log")


def design(log: PreparedLog) -> np.ndarray:
    """One column for each shop, and the price within 4 standard deviations."""
    rows = log.rows("train")
    (size,) = log.inputs.field_sizes
    price = rows.numeric.double().numpy().clip(-4, 4)
    return np.concatenate([np.eye(size)[rows.ids[:, 0].numpy()], price], axis=1)


def test_it_is_scikit_learns_with_sample_weights(log: PreparedLog) -> None:
    settings = RunSettings.make("logistic", overrides=[f"variance={VARIANCE}"])
    method = build_method(settings, log)
    fit = LinearFit(log, method.inputs, log.base_rates, VARIANCE, threads=1, tolerance=1e-9)
    stages = {"clicks": fit.clicks(), "conversions": fit.conversions(None, 0.0)}
    method.fit(Fitting(log, lambda name, _: stages[name], threads=1, seed=0, reporter=Silent()))
    rows, x = log.rows("train"), design(log)
    assert rows.weight is not None
    weight = rows.weight.double().numpy() / rows.unit
    assert weight.std() > 0.3
    click, conversion = rows.click.numpy(), rows.conversion.numpy()
    for output, (on, label) in enumerate(
        [(np.ones(len(click), bool), click), (click > 0, conversion)]
    ):
        known = LogisticRegression(C=VARIANCE, tol=1e-10, max_iter=10_000)
        known.fit(x[on], label[on], sample_weight=weight[on])
        found = np.concatenate(
            [method.embedding.table[:, output].tolist(), method.linear.slopes[:, output].tolist()]
        )
        assert found == pytest.approx(known.coef_[0], abs=1e-4)
        assert abs(found).max() > 0.3
        assert method.linear.intercepts[output].item() == pytest.approx(
            known.intercept_[0], abs=1e-4
        )


def test_what_it_serves_is_that_sum(log: PreparedLog, tmp_path: Path) -> None:
    run = train(log, RunSettings.make("logistic"), tmp_path / "run")
    batch = next(iter(log.sequential("train", 500)))[0]
    found, x = run.load(), design(log)[:500]
    for output, logit in enumerate(found.predict(batch)[:2]):
        b = np.concatenate(
            [found.embedding.table[:, output].tolist(), found.linear.slopes[:, output].tolist()]
        )
        expected = x @ b + found.linear.intercepts[output].item()
        assert logit.detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_it_keeps_what_a_fitted_method_has_to_keep() -> None:
    found = check_fitted_method(Logistic, options=({}, {"variance": 0.01}))
    assert all(found.values())
    assert found.keys() >= {"exposure moves clicks alone", "goes on after a kill"}
    assert set(Logistic.Config.model_fields) == {"preset", "variance"}
    assert not Logistic.variants
