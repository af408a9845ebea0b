"""Published identities and fixed points hold in the reference of the further methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from . import baselines, distillation, doubly_robust, propensity_learning, pseudo_labels
from . import losses as ref
from .finite_difference import finite_difference_terms
from .losses import Array
from .population import ROWS, STRATA_P, STRATA_R, exact_population, logit, random_batch

CLIP = (0.25, 0.7)
IMPUTED = ("ctr", "cvr", "imputation")
ZP, ZR = logit(STRATA_P), logit(STRATA_R)


def expected_gradient(fn: Any, strata: dict[str, Array], **options: Any) -> dict[str, Any]:
    """Gradient of the expected loss in each stratum's logit, from finite differences."""
    labels = exact_population()
    frozen = {head: np.repeat(z, ROWS) for head, z in strata.items()}

    def terms(z: dict[str, Array]) -> ref.Terms:
        rows = {head: np.repeat(value, ROWS) for head, value in z.items()}
        result: ref.Terms = fn(rows, *labels, frozen=frozen, **options)
        return result

    return finite_difference_terms(terms, strata)


def test_a_sound_dr_with_an_error_head_has_the_gradient_of_ipw() -> None:
    """METHODS section 4: m is detached, hence drops out; released it does not."""
    z, (c, v) = random_batch(1, IMPUTED)
    released = partial(doubly_robust.multi_dr, detach_mode="released")
    methods: dict[str, Callable[..., ref.Terms]] = {
        "ipw": baselines.multi_ipw,
        "sound": doubly_robust.multi_dr,
        "released": released,
    }
    fit = {
        name: finite_difference_terms(partial(fn, click=c, conv=v, frozen=z, clip=CLIP), z)["cvr"]
        for name, fn in methods.items()
    }
    for head in IMPUTED:
        np.testing.assert_allclose(fit["sound"][head], fit["ipw"][head], atol=1e-9)
    assert np.abs(fit["released"]["imputation"]).max() > 1e-3


@pytest.mark.parametrize(("r", "optimum"), [(0.05, 0.19), (0.1, 0.27), (0.2, 0.37)])
def test_released_dr_settles_far_above_the_truth(r: float, optimum: float) -> None:
    """METHODS section 4: its optimum is that of CE(r, q) + r(1-r) logit(q)^2."""
    grid = np.linspace(0.01, 0.6, 591)
    objective = -(r * np.log(grid) + (1 - r) * np.log(1 - grid)) + r * (1 - r) * logit(grid) ** 2
    assert grid[objective.argmin()] == pytest.approx(optimum, abs=0.006)
    rows = 200
    v = (np.arange(rows) < r * rows).astype(float)
    values = []
    for q in grid:
        m = -(r * np.log(q) + (1 - r) * np.log(1 - q))
        assert m > 0
        weight = np.ones(rows)  # everything clicked: exact propensity 1
        e = ref.bce(np.full(rows, q), v)
        values.append(
            doubly_robust.doubly_robust(np.full(rows, m), e, weight)
            + ref.mean(weight * (e - m) ** 2)
        )
    np.testing.assert_allclose(values, objective, rtol=1e-9)


@pytest.mark.parametrize("kind", ["dr_jl", "mrdr", "dr_bias", "dr_mse"])
def test_imputed_labels_are_unbiased_and_settle_at_the_truth(kind: str) -> None:
    """Either exact propensities or a = r suffice: double robustness, in expectation."""
    fn = getattr(doubly_robust, kind)
    truth = {"ctr": ZP, "cvr": ZR, "imputation": ZR}
    for heads in expected_gradient(fn, truth).values():
        for gradient in heads.values():
            np.testing.assert_allclose(gradient, 0.0, atol=1e-8)
    for wrong in ("ctr", "imputation"):
        moved = {**truth, wrong: truth[wrong] + 0.5}
        fit = expected_gradient(fn, moved)["cvr"]["cvr"]
        np.testing.assert_allclose(fit, 0.0, atol=1e-8)
    both = expected_gradient(fn, {"ctr": ZP + 0.5, "cvr": ZR, "imputation": ZR + 0.5})
    assert np.all(np.abs(both["cvr"]["cvr"]) > 1e-4)


def test_squared_imputation_error_is_the_label_error_times_the_logit() -> None:
    """METHODS section 5: e - m = (a - v) logit(q)."""
    z, (c, v) = random_batch(2, IMPUTED)
    a, p = ref.sigmoid(z["imputation"]), np.clip(ref.sigmoid(z["ctr"]), *CLIP)
    by_hand = ref.mean(c * (1 - p) / p**2 * ((a - v) * z["cvr"]) ** 2)
    found = doubly_robust.mrdr(z, c, v, clip=CLIP)["imputation"]
    assert found == pytest.approx(by_hand, rel=1e-10)


@pytest.mark.parametrize("method", ["ips_v2", "dr_v2"])
def test_balance_alone_reaches_the_propensity_by_default(method: str) -> None:
    z, (c, v) = random_batch(3, IMPUTED)
    fn = partial(getattr(propensity_learning, method), click=c, conv=v, frozen=z)
    numeric = finite_difference_terms(fn, z)
    reached = {t for t, heads in numeric.items() if np.abs(heads["ctr"]).max() > 1e-9}
    assert reached == {"ctr", "ctcvr", "balance"}
    everywhere = finite_difference_terms(partial(fn, attach="all"), z)
    assert np.abs(everywhere["cvr"]["ctr"]).max() > 1e-3


def test_gpl_pushes_the_propensity_up_only() -> None:
    """METHODS section 6: delta is 0 off-click, so both regularisers fall with p everywhere."""
    z, (c, v) = random_batch(4, ("ctr", "propensity", "cvr", "imputation"))
    fn = partial(propensity_learning.mrdr_gpl, click=c, conv=v, frozen=z)
    numeric = finite_difference_terms(fn, z)
    for term in ("bias", "variance"):
        assert np.all(numeric[term]["propensity"][c == 1] < 0)
        assert np.all(numeric[term]["propensity"][c == 0] == 0)
        assert all(np.all(numeric[term][h] == 0) for h in ("ctr", "cvr", "imputation"))


def test_dcmt_is_stationary_at_the_truth_and_its_flawed_variant_is_not() -> None:
    truth = {"ctr": ZP, "cvr": ZR, "counterfactual": -ZR}
    numeric = expected_gradient(pseudo_labels.dcmt, truth, self_normalise=False)
    np.testing.assert_allclose(numeric["factual"]["cvr"], 0.0, atol=1e-8)
    # Recorded labels of unclicked rows are all "no conversion": k settles at 1, not at 1 - r.
    assert np.all(numeric["counterfactual"]["counterfactual"] < -1e-3)
    flawed = expected_gradient(pseudo_labels.dcmt, truth, counterfactual_label="recorded")
    assert np.all(flawed["counterfactual"]["counterfactual"] > 0)


def test_ddpo_soft_labels_settle_above_the_truth() -> None:
    """METHODS section 9: with a = r the clicked target is r(2 - r), the weights cancel."""
    target = STRATA_R * (2 - STRATA_R)
    truth = {"ctr": ZP, "cvr": logit(target), "conversion": ZR}
    numeric = expected_gradient(pseudo_labels.ddpo, truth)
    np.testing.assert_allclose(numeric["cvr_clicked"]["cvr"], 0.0, atol=1e-8)
    np.testing.assert_allclose(numeric["conversion"]["conversion"], 0.0, atol=1e-8)
    plain = expected_gradient(pseudo_labels.ddpo, {**truth, "cvr": ZR}, soft_label="unclicked_only")
    for term in ("cvr_clicked", "cvr_unclicked"):
        np.testing.assert_allclose(plain[term]["cvr"], 0.0, atol=1e-8)


def test_nise_minimises_entropy_or_does_nothing() -> None:
    """METHODS 16.5: attached d/dz = -z q (1-q), detached 0."""
    z, (c, v) = random_batch(5, ("ctr", "cvr"))
    q, off = ref.sigmoid(z["cvr"]), c == 0
    for pseudo, slope in (("self_attached", -z["cvr"] * q * (1 - q)), ("self_detached", 0 * q)):
        fn = partial(pseudo_labels.nise, click=c, conv=v, frozen=z, pseudo=pseudo, fixed_weight=1.0)
        found = finite_difference_terms(fn, z)["cvr"]["cvr"][off]
        np.testing.assert_allclose(found, slope[off] / c.size, atol=1e-9)


def test_ukd_teacher_equals_the_mean_over_an_oversampled_batch() -> None:
    """Four unclicked rows, two clicked ones drawn twice each: means over all eight."""
    z, _ = random_batch(6, ("teacher", "domain"), 6)
    c, v = np.array([1.0, 1, 0, 0, 0, 0]), np.array([1.0, 0, 0, 0, 0, 0])
    rows = np.array([0, 0, 1, 1, 2, 3, 4, 5])
    a, d = ref.sigmoid(z["teacher"])[rows], ref.sigmoid(z["domain"])[rows]
    terms = distillation.ukd_teacher(z, c, v)
    assert terms["teacher"] == pytest.approx(ref.mean(c[rows] * ref.bce(a, v[rows])), rel=1e-12)
    assert terms["adversarial"] == pytest.approx(ref.mean(ref.bce(d, c[rows])), rel=1e-12)
