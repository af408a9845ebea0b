"""Reference values by hand arithmetic; reference gradients by hand and finite differences."""

from __future__ import annotations

from functools import partial
from math import log
from typing import Any

import numpy as np
import pytest

from . import gradients as hand
from . import losses as ref
from .finite_difference import finite_difference_gradient, finite_difference_terms
from .losses import Array
from .population import Labels, logit, random_batch

CLIP = (0.25, 0.7)  # narrow, so that some rows are clipped and some are not
NORMS = ("clicked", "entire", "self")
CHORUS_HEADS = ("ctr", "cvr", "uncvr")


def check(method: str, z: dict[str, Array], labels: Labels, **options: Any) -> None:
    """Finite differences of every term equal the hand gradients, for every head."""
    fn = partial(getattr(ref, method), click=labels[0], conv=labels[1], frozen=z, **options)
    by_hand = getattr(hand, f"{method}_gradients")(z, *labels, **options)
    numeric = finite_difference_terms(fn, z)
    assert by_hand.keys() == numeric.keys()
    for term, heads in numeric.items():
        assert by_hand[term].keys() == heads.keys()
        for head, value in heads.items():
            np.testing.assert_allclose(
                value, by_hand[term][head], rtol=1e-6, atol=2e-8, err_msg=f"{term} {head}"
            )


@pytest.mark.parametrize("reduction", ["mean_clicked", "mean_entire"])
def test_naive_gradients(reduction: str) -> None:
    check("naive", *random_batch(1, ("ctr", "cvr")), reduction=reduction)


def test_esmm_gradients() -> None:
    check("esmm", *random_batch(2, ("ctr", "cvr")))


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_escm2_ipw_gradients(norm: str, detach: bool) -> None:
    options: dict[str, Any] = {"clip": CLIP, "ipw_norm": norm, "detach_propensity": detach}
    check("escm2_ipw", *random_batch(3, ("ctr", "cvr")), **options)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("ipw", [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("norm", NORMS)
def test_choruscvr_gradients(norm: str, ipw: tuple[bool, bool], tie: bool, detach: bool) -> None:
    z, labels = random_batch(4, ("ctr", "cvr") if tie else CHORUS_HEADS)
    options: dict[str, Any] = {
        "ipw_norm": norm,
        "ipw_cvr": ipw[0],
        "ipw_uncvr": ipw[1],
        "tie_uncvr": tie,
    }
    check("choruscvr", z, labels, clip=CLIP, detach_propensity=detach, **options)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("space", ["entire", "click"])
def test_evi_gradients(space: str, detach: bool) -> None:
    z, labels = random_batch(5, ("ctr", "cvr", "teacher"))
    options: dict[str, Any] = {
        "teacher_space": space,
        "unclicked_weight": 0.5,
        "half": space == "click",
    }
    check("evi", z, labels, clip=CLIP, detach_propensity=detach, **options)


def test_frozen_propensity_is_used_only_when_detached() -> None:
    z, labels = random_batch(6, CHORUS_HEADS)
    held = {"ctr": z["ctr"] + 0.5}
    moved = {**z, **held}
    for term, value in ref.choruscvr(z, *labels, frozen=held).items():
        attached = ref.choruscvr(z, *labels, frozen=held, detach_propensity=False)[term]
        assert attached == pytest.approx(ref.choruscvr(z, *labels)[term], rel=1e-12)
        weighted = "ipw" in term or "align" in term
        source = moved if weighted else z
        assert value == pytest.approx(ref.choruscvr(source, *labels)[term], rel=1e-12)


def test_values_on_four_rows_by_hand() -> None:
    p = np.array([0.5, 0.2, 0.8, 0.5])
    q, w = np.full(4, 0.25), np.full(4, 0.6)
    z = {"ctr": logit(p), "cvr": logit(q), "uncvr": logit(w)}
    terms = ref.choruscvr(z, [1, 1, 0, 0], [1, 0, 0, 0], clip=(0.25, 0.75))
    expected = {
        "ctr": -(log(0.5) + log(0.2) + log(0.2) + log(0.5)) / 4,
        "ctcvr": -(log(0.125) + log(0.95) + log(0.8) + log(0.875)) / 4,
        "cvr_ipw": -(2 * log(0.25) + 4 * log(0.75)) / 2,
        "ctuncvr": -(log(0.7) + log(0.12) + log(0.52) + log(0.7)) / 4,
        "uncvr_ipw": -(2 * log(0.4) + 4 * log(0.6)) / 2,
        "align_cvr_clicked": -(2 + 4) * (0.4 * log(0.25) + 0.6 * log(0.75)) / 2,
        "align_cvr_unclicked": -(4 + 2) * (0.4 * log(0.25) + 0.6 * log(0.75)) / 2,
        "align_uncvr_clicked": -(2 + 4) * (0.75 * log(0.6) + 0.25 * log(0.4)) / 2,
        "align_uncvr_unclicked": -(4 + 2) * (0.75 * log(0.6) + 0.25 * log(0.4)) / 2,
    }
    assert terms == pytest.approx(expected, rel=1e-12)
    released = ref.escm2_ipw(z, [1, 1, 0, 0], [1, 0, 0, 0], ipw_norm="released", clip=(1e-6, 1))
    assert released["cvr_ipw"] == pytest.approx(-(2 * log(0.25) + 5 * log(0.75)) / 2, rel=1e-12)


def test_released_weight_has_a_floor_and_a_cap() -> None:
    z = {"ctr": np.full(2, logit(np.array(0.02))), "cvr": np.zeros(2)}
    for floor, weight in ((1e-6, 15.0), (0.1, 10.0)):
        terms = ref.escm2_ipw(z, [1, 0], [1, 0], ipw_norm="released", clip=(floor, 1.0))
        assert terms["cvr_ipw"] == pytest.approx(weight * log(2), rel=1e-12)


def test_vie_by_hand_and_its_best_variance() -> None:
    def rho(s: float) -> Array:
        return np.array([log(np.expm1(s - 1e-3))])

    teacher, mu = np.array([[3.0]]), np.array([[1.0]])
    pair = (teacher, mu, rho(2.0))
    assert ref.evi_vie([pair]) == pytest.approx(0.5 * log(2) + 1, rel=1e-12)
    assert ref.evi_vie([pair, pair]) == pytest.approx(log(2) + 2, rel=1e-12)
    assert ref.evi_vie([pair], softplus_is="std") == pytest.approx(log(2) + 0.5, rel=1e-12)
    assert ref.evi_vie([(teacher, mu, np.array([5.0]))]) == pytest.approx(
        0.5 * log(5.0077153) + 2 / 5.0077153, rel=1e-6
    )
    rng = np.random.default_rng(10)
    t, m = rng.normal(size=(6, 1)), rng.normal(size=(6, 1))
    best = {"rho": rho(float(((t - m) ** 2).mean()))}
    gradient = finite_difference_gradient(lambda a: ref.evi_vie([(t, m, a["rho"])]), best)
    assert abs(gradient["rho"][0]) < 1e-8
    wide = [(rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), np.zeros(4))]
    assert ref.evi_vie(wide, reduction="sum") == pytest.approx(4 * ref.evi_vie(wide), rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "click"), [(5, 0.0), (5, 1.0), (0, 0.0)])
def test_empty_subsets_are_zero(n: int, click: float, norm: str) -> None:
    z, _ = random_batch(11, (*CHORUS_HEADS, "teacher"), n)
    c, v = np.full(n, click), np.zeros(n)
    terms = ref.choruscvr(z, c, v, ipw_norm=norm)
    empty = {t for t in terms if t.endswith(("_ipw", "_clicked"))}
    if click:
        empty = {t for t in terms if t.endswith("_unclicked")}
    elif n == 0:
        empty = set(terms)
    assert {t for t, value in terms.items() if value == 0.0} == empty
    others = (ref.naive(z, c, v), ref.evi(z, c, v), ref.escm2_ipw(z, c, v, ipw_norm="released"))
    for method in others:
        assert np.all(np.isfinite(list(method.values())))


def test_recorded_conversions_of_unclicked_rows_are_ignored() -> None:
    z, (c, v) = random_batch(12, (*CHORUS_HEADS, "teacher"))
    noisy = np.where(c == 1, v, 1.0)
    for method in (ref.naive, ref.esmm, ref.escm2_ipw, ref.choruscvr, ref.evi):
        assert method(z, c, noisy) == method(z, c, v)


def test_unknown_options_are_refused() -> None:
    z, labels = random_batch(13, (*CHORUS_HEADS, "teacher"))
    with pytest.raises(ValueError, match="ipw_norm='all'"):
        ref.choruscvr(z, *labels, ipw_norm="all")
    with pytest.raises(ValueError, match="reduction='sum'"):
        ref.naive(z, *labels, reduction="sum")
    with pytest.raises(ValueError, match="teacher_space='all'"):
        ref.evi(z, *labels, teacher_space="all")
