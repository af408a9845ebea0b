"""What the specification says of the doubly robust losses with an imputed error, or a label."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.data.prepared import BaseRates
from postclick.losses import expectation
from postclick.losses.doubly_robust import imputed_error
from postclick.methods import METHODS
from reference.population import logit, random_batch

from .helpers import PATTERNS, make_batch, make_method, weights_of
from .test_spec import slopes, terms_of

SERVED = ("ctr", "cvr")
IMPUTED = (*SERVED, "imputation")
# Where the error of a fitted imputation head drives pCVR, by true CVR.
RELEASED = {0.05: 0.19, 0.10: 0.27, 0.20: 0.37}
STEPS = np.array([0.9, 1.0, 1.1])


def weighted_slopes(
    name: str, z: dict[str, Any], labels: Any, **options: Any
) -> dict[str, np.ndarray]:
    """Gradient of the whole loss for each head's logits."""
    terms, leaves = terms_of(name, z, labels, **options)
    weights = weights_of(make_method(name, options))
    total = torch.stack([weights[term] * value for term, value in terms.items()]).sum()
    return {head: gradient.numpy() for head, gradient in slopes(total, leaves).items()}


def cell_slopes(name: str, r: float, q: float, **options: Any) -> dict[str, float]:
    """Expected gradient of the CVR and imputation terms in one cell with CTR .1 and CVR r.

    pCTR is right, pCVR is q, and the imputation is the best that it can be.
    """
    p = 0.1
    counts = 1e9 * torch.tensor([1 - p, p * (1 - r), p * r], dtype=torch.float64)
    error = -r * math.log(q) - (1 - r) * math.log(1 - q)
    best = math.log(r / (1 - r)) if "imputation" in options else math.log(math.expm1(error))
    z = {"ctr": logit(np.full(3, p)), "cvr": logit(np.full(3, q)), "imputation": np.full(3, best)}
    with expectation(counts):
        terms, leaves = terms_of(name, z, (np.array([0.0, 1, 1]), np.array([0.0, 0, 1])), **options)
        found = slopes(terms["cvr"] + terms["imputation"], leaves)
    return {head: found[head].sum().item() for head in ("cvr", "imputation")}


def test_sound_dr_teaches_p_and_q_what_ipw_teaches_them() -> None:
    z, labels = random_batch(7, IMPUTED)
    for dr, ipw in (("escm2_dr", "escm2_ipw"), ("multi_dr", "multi_ipw")):
        expected = weighted_slopes(ipw, {head: z[head] for head in SERVED}, labels)
        for activation in ("sigmoid", "softplus"):
            found = weighted_slopes(dr, z, labels, imputation_activation=activation)
            for head in SERVED:
                np.testing.assert_allclose(found[head], expected[head], rtol=1e-12, atol=1e-16)
            assert (found["imputation"] != 0).any()


def test_sound_dr_trains_the_imputation_by_its_own_term_and_nothing_else_by_it() -> None:
    z, labels = random_batch(8, IMPUTED)
    for name in ("escm2_dr", "multi_dr"):
        terms, leaves = terms_of(name, z, labels)
        assert (slopes(terms["cvr"], leaves)["imputation"] == 0).all()
        own = slopes(terms["imputation"], leaves)
        assert (own["cvr"] == 0).all()
        np.testing.assert_array_equal(own["imputation"].numpy() != 0, labels[0] == 1)


def test_released_dr_trains_both_heads_by_both_terms() -> None:
    z, labels = random_batch(9, IMPUTED)
    for name in ("escm2_dr", "multi_dr"):
        terms, leaves = terms_of(name, z, labels, detach_mode="released")
        for term in ("cvr", "imputation"):
            found = slopes(terms[term], leaves)
            assert all((found[head] != 0).any() for head in ("cvr", "imputation")), (name, term)


@pytest.mark.parametrize("name", ["escm2_dr", "multi_dr"])
@pytest.mark.parametrize("r", RELEASED)
def test_released_dr_stands_still_above_the_truth(r: float, name: str) -> None:
    """With m = E[e], at the least CE(r, q) + r (1 - r) logit(q)^2; the sound form at r."""
    q = np.linspace(1e-3, 0.999, 99_801)
    loss = -r * np.log(q) - (1 - r) * np.log(1 - q) + r * (1 - r) * np.log(q / (1 - q)) ** 2
    least = q[loss.argmin()]
    assert least == pytest.approx(RELEASED[r], abs=6e-3)
    for mode, optimum in (("sound", r), ("released", least)):
        options = {"detach_mode": mode, "imputation_activation": "softplus"}
        below, at, above = (cell_slopes(name, r, x, **options) for x in optimum * STEPS)
        assert abs(at["cvr"]) < 1e-4 * above["cvr"] + 1e-6
        assert below["cvr"] < 0 < above["cvr"]
        assert abs(at["imputation"]) < 1e-12


def test_imputed_labels_stand_still_at_the_truth() -> None:
    below, at, above = (cell_slopes("escm2_dr", 0.2, x, imputation="label") for x in 0.2 * STEPS)
    assert max(abs(slope) for slope in at.values()) < 1e-12
    assert below["cvr"] < 0 < above["cvr"]


def test_imputed_labels_teach_q_on_unclicked_rows() -> None:
    z, labels = random_batch(10, IMPUTED)
    terms, leaves = terms_of("escm2_dr", z, labels, imputation="label")
    unclicked = labels[0] == 0
    found = slopes(terms["cvr"], leaves)
    assert (found["imputation"] == 0).all()
    q, a = (1 / (1 + np.exp(-z[head][unclicked])) for head in ("cvr", "imputation"))
    np.testing.assert_allclose(found["cvr"].numpy()[unclicked], (q - a) / 18, rtol=1e-12)
    assert (slopes(terms["imputation"], leaves)["cvr"] == 0).all()


def test_dr_caps_its_weight() -> None:
    """An unclicked row, two clicked ones with weights 50 and 2; nothing imputed."""
    z = {
        "ctr": logit(np.array([0.5, 0.02, 0.5])),
        "cvr": np.zeros(3),
        "imputation": np.full(3, -60.0),
    }
    labels = (np.array([0.0, 1.0, 1.0]), np.zeros(3))
    for cap, weights in ((None, 52.0), (15.0, 17.0), (1.0, 2.0)):
        terms, _ = terms_of("escm2_dr", z, labels, max_weight=cap)
        assert terms["cvr"].item() == pytest.approx(math.log(2) * weights / 3, rel=1e-12)


def test_dr_of_the_evi_authors_loses_the_sign_of_the_correction() -> None:
    """Imputed far too much: the correction should lower the loss, and raises it there."""
    z = {"ctr": np.zeros(1), "cvr": np.zeros(1), "imputation": np.array([5.0])}
    labels = (np.ones(1), np.zeros(1))
    signed, _ = terms_of("escm2_dr", z, labels)
    absolute, _ = terms_of("escm2_dr", z, labels, **METHODS["escm2_dr"].variants["evi_repo"])
    m, e = 1 / (1 + math.exp(-5)), math.log(2)
    assert signed["cvr"].item() == pytest.approx(m + 2 * (e - m), rel=1e-12)
    assert absolute["cvr"].item() == pytest.approx(m + 2 * (m - e), rel=1e-12)


@pytest.mark.parametrize("name", ["escm2_dr", "multi_dr"])
def test_the_imputation_loss_stays_in_the_sum(name: str) -> None:
    weights = weights_of(make_method(name))
    assert weights["imputation"] == weights["cvr"] > 0
    assert "imputation" in make_method(name).loss(make_batch(*PATTERNS["mixed"]))[1]


@pytest.mark.parametrize("activation", ["sigmoid", "softplus"])
def test_an_imputed_error_starts_at_the_mean_error_of_a_constant_pcvr(activation: str) -> None:
    r = 0.05
    entropy = -r * math.log(r) - (1 - r) * math.log(1 - r)
    for name in ("escm2_dr", "multi_dr"):
        config = METHODS[name].Config.parse(name, {"imputation_activation": activation})
        start = METHODS[name].start(config, BaseRates(0.1, r))["imputation"]
        m = imputed_error(torch.tensor(math.log(start / (1 - start))), config.imputation_activation)
        assert m.item() == pytest.approx(entropy, rel=1e-6)


def test_only_softplus_imputes_an_error_above_one() -> None:
    z = torch.tensor([-100.0, 0.0, 2.0, 100.0], requires_grad=True)
    bounded, free = imputed_error(z, "sigmoid"), imputed_error(z, "softplus")
    assert bounded.max() <= 1 < free[2] < free[3]
    assert_slopes_finite(bounded.sum() + free.sum(), z)


def assert_slopes_finite(loss: Tensor, leaf: Tensor) -> None:
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize(
    "option",
    [{"detach_mode": "released"}, {"imputation_activation": "softplus"}, {"absolute": True}],
)
def test_an_imputed_label_has_no_options_of_an_imputed_error(option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(ValueError, match=f"imputation=label takes no {name}"):
        METHODS["escm2_dr"].Config.parse("escm2_dr", {"imputation": "label", **option})
