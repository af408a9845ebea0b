"""What is said of tempered and shrunk weights: their ends, their limits, where they settle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from postclick.losses import LogPropensity
from postclick.methods import METHODS
from postclick.methods.dros import shrunk
from reference.population import logit, random_batch
from reference.shrinkage import shrunk_weight

from .tabular import settle
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "imputation")


@pytest.mark.parametrize(
    ("alpha", "norm", "other", "options"),
    [
        (0.0, "entire", "naive", {"reduction": "mean_entire"}),
        (0.0, "clicked", "naive", {}),
        (0.0, "self", "naive", {}),
        (1.0, "entire", "multi_ipw", {"ipw_norm": "entire"}),
        (1.0, "clicked", "multi_ipw", {"ipw_norm": "clicked"}),
        (1.0, "self", "snips", {}),
    ],
)
def test_tempered_ips_is_naive_at_0_and_ips_at_1(alpha, norm, other, options) -> None:
    z, labels = random_batch(0, HEADS[:2])
    ours, leaves = terms_of("tempered_ips", z, labels, alpha=alpha, ipw_norm=norm)
    its, its_leaves = terms_of(other, z, labels, **options)
    assert ours["cvr"].item() == pytest.approx(its["cvr"].item(), rel=1e-14)
    for head, slope in slopes(its["cvr"], its_leaves).items():
        np.testing.assert_allclose(slopes(ours["cvr"], leaves)[head], slope, rtol=1e-13)


def test_tempered_weights_are_a_power_of_the_inverse_propensity() -> None:
    ctr, one = logit(np.array([0.01, 0.04, 0.25, 0.81])), np.ones(4)
    options = {"alpha": 0.5, "ipw_norm": "entire", "clip": (0.04, 0.99)}
    terms, leaves = terms_of(
        "tempered_ips", {"ctr": ctr, "cvr": np.zeros(4)}, (one, one), **options
    )
    weight = np.array([5.0, 5.0, 2.0, 1 / 0.9])
    np.testing.assert_allclose(slopes(terms["cvr"], leaves)["cvr"], -0.5 * weight / 4, rtol=1e-12)


def test_a_search_says_its_clip_is_idle_where_all_weights_are_1() -> None:
    config = METHODS["tempered_ips"].Config
    assert config().idle() == frozenset()
    assert config(alpha=0.0).idle() == {"clip"}
    assert "alpha" in config.search


@pytest.mark.parametrize("form", ["optimistic", "pessimistic"])
@pytest.mark.parametrize("lam", [0.0, 0.7, 4.0, 900.0, None])
def test_shrunk_weights_are_the_formula(lam: float | None, form: str) -> None:
    z = torch.linspace(-9, 9, 61, dtype=torch.float64)
    pi = LogPropensity.of(z, (1e-6, 1 - 1e-6))
    weights = [shrunk_weight(1 + float(np.exp(-x)), lam, form) for x in z.numpy()]
    np.testing.assert_allclose(shrunk(pi, lam, form), weights, rtol=1e-10, atol=1e-12)


def test_an_optimistic_weight_is_half_of_w_at_the_root_of_lambda_and_never_above() -> None:
    w = torch.logspace(0, 6, 4001, dtype=torch.float64)
    pi = LogPropensity.of(-(w - 1).clamp(min=1e-12).log(), (1e-9, 1 - 1e-9))
    found = shrunk(pi, 400.0, "optimistic")
    assert float(found.max()) == pytest.approx(10.0, rel=1e-5)
    assert float(w[found.argmax()]) == pytest.approx(20.0, rel=1e-2)


@pytest.mark.parametrize("clip", [(0.01, 0.99), (1e-15, 1 - 1e-7)])
def test_shrinkage_runs_from_the_direct_method_to_doubly_robust(clip) -> None:
    z, labels = random_batch(1, HEADS)
    direct, leaves = terms_of("dros", z, labels, shrinkage=0.0, clip=clip)
    q, a = (1 / (1 + np.exp(-z[head])) for head in ("cvr", "imputation"))
    np.testing.assert_allclose(slopes(direct["cvr"], leaves)["cvr"], (q - a) / q.size, rtol=1e-12)
    full = terms_of("dros", z, labels, shrinkage=None, clip=clip)[0]["cvr"]
    near = terms_of("dros", z, labels, shrinkage=1e12, clip=clip)[0]["cvr"]
    robust = terms_of("dr_jl", z, labels, clip=clip)[0]["cvr"]
    assert full.item() == pytest.approx(robust.item(), rel=1e-14)
    assert near.item() == pytest.approx(full.item(), rel=1e-6)


def test_dros_trains_the_imputed_label_on_clicks_and_by_its_own_term_alone() -> None:
    z, labels = random_batch(2, HEADS)
    terms, leaves = terms_of("dros", z, labels, imputation_weighting="squared")
    assert not slopes(terms["cvr"], leaves)["imputation"].any()
    found = slopes(terms["imputation"], leaves)
    np.testing.assert_array_equal(found["imputation"] != 0, labels[0] == 1)
    assert not found["cvr"].any()
    attached, leaves = terms_of(
        "dros", z, labels, imputation_weighting="squared", detach_propensity=False
    )
    assert not slopes(attached["imputation"], leaves)["ctr"].any()
    assert slopes(attached["cvr"], leaves)["ctr"].any()


@pytest.mark.parametrize("shrinkage", [0.0, 30.0, 1000.0])
def test_with_a_right_imputed_label_every_shrinkage_settles_at_the_truth(shrinkage: float) -> None:
    found = settle("dros", ("cvr",), ("cvr",), shrinkage=shrinkage)
    assert found.ratio == pytest.approx(1.0, abs=1e-4)
    both = settle("dros", ("cvr", "imputation"), ("cvr", "imputation"), shrinkage=shrinkage)
    assert both.ratio == pytest.approx(1.0, abs=1e-3)
