"""Published identities and fixed points hold in the reference."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from . import losses as ref
from .finite_difference import finite_difference_terms
from .losses import Array
from .population import ROWS, STRATA_P, STRATA_R, exact_population, logit, random_batch

CLIP = (0.25, 0.7)  # narrow, so that some rows are clipped and some are not
NORMS = ("clicked", "entire", "self")
CHORUS_HEADS = ("ctr", "cvr", "uncvr")
ZP, ZR = logit(STRATA_P), logit(STRATA_R)


@pytest.mark.parametrize("seed", range(5))
def test_choruscvr_click_norm_is_n_over_clicks_times_the_entire_space_ipw(seed: int) -> None:
    """METHODS 16.1."""
    z, (c, v) = random_batch(seed, CHORUS_HEADS)
    literal = ref.choruscvr(z, c, v, clip=CLIP)["cvr_ipw"]
    entire = ref.escm2_ipw(z, c, v, clip=CLIP, ipw_norm="entire")["cvr_ipw"]
    assert literal == pytest.approx(len(c) / c.sum() * entire, rel=1e-12)
    assert literal != pytest.approx(entire, rel=0.1)
    click = ref.escm2_ipw(z, c, v, clip=CLIP, ipw_norm="clicked")["cvr_ipw"]
    assert literal == pytest.approx(click, rel=1e-12)
    released = ref.escm2_ipw(z, c, v, clip=(1e-6, 1.0), ipw_norm="released")["cvr_ipw"]
    unclipped = ref.escm2_ipw(z, c, v, clip=(1e-6, 1.0), ipw_norm="clicked")["cvr_ipw"]
    assert released == pytest.approx(unclipped, rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_alignment_terms_reach_one_head_on_their_own_rows(norm: str) -> None:
    """METHODS 16.3."""
    z, (c, v) = random_batch(7, CHORUS_HEADS)
    fn = partial(ref.choruscvr, click=c, conv=v, frozen=z, ipw_norm=norm)
    numeric = finite_difference_terms(fn, z)
    for head in ("cvr", "uncvr"):
        for space, rows in (("clicked", c == 1), ("unclicked", c == 0)):
            for other, gradient in numeric[f"align_{head}_{space}"].items():
                if other == head:
                    assert np.all(gradient[rows] != 0.0)
                    assert np.all(gradient[~rows] == 0.0)
                else:
                    assert np.all(gradient == 0.0)


def test_tied_uncvr_has_no_alignment_gradient_and_equal_ipw_terms() -> None:
    """METHODS section 1, ``tie_uncvr``."""
    z, (c, v) = random_batch(8, ("ctr", "cvr"))
    fn = partial(ref.choruscvr, click=c, conv=v, frozen=z, tie_uncvr=True)
    terms, numeric = fn(z), finite_difference_terms(fn, z)
    assert terms["uncvr_ipw"] == pytest.approx(terms["cvr_ipw"], rel=1e-12)
    for term, heads in numeric.items():
        if term.startswith("align"):
            assert terms[term] > 0.0
            assert max(np.abs(g).max() for g in heads.values()) < 1e-8
    np.testing.assert_allclose(
        numeric["uncvr_ipw"]["cvr"], numeric["cvr_ipw"]["cvr"], rtol=1e-6, atol=1e-8
    )
    untied = ref.choruscvr({**z, "uncvr": -z["cvr"]}, c, v)
    assert untied == pytest.approx(terms, rel=1e-12)


def expected_gradient(
    method: str, strata: dict[str, Array], **options: Any
) -> dict[str, dict[str, Array]]:
    """Gradient of the expected loss in each stratum's logit, from finite differences."""
    labels = exact_population()
    frozen = {head: np.repeat(z, ROWS) for head, z in strata.items()}

    def terms(z: dict[str, Array]) -> ref.Terms:
        rows = {head: np.repeat(value, ROWS) for head, value in z.items()}
        result: ref.Terms = getattr(ref, method)(rows, *labels, frozen=frozen, **options)
        return result

    return finite_difference_terms(terms, strata)


@pytest.mark.parametrize("norm", NORMS)
def test_choruscvr_is_stationary_at_the_truth(norm: str) -> None:
    """METHODS 16.4, and away from the truth the same gradients are not zero."""
    truth = {"ctr": ZP, "cvr": ZR, "uncvr": -ZR}
    for heads in expected_gradient("choruscvr", truth, ipw_norm=norm).values():
        for gradient in heads.values():
            np.testing.assert_allclose(gradient, 0.0, atol=1e-8)
    wrong = {"ctr": ZP + 0.5, "cvr": ZR + 0.5, "uncvr": -ZR + 0.5}
    for term, heads in expected_gradient("choruscvr", wrong, ipw_norm=norm).items():
        head = "ctr" if term == "ctr" else "uncvr" if "uncvr" in term else "cvr"
        assert np.all(heads[head] > 1e-5), term


def test_ipw_with_true_propensity_is_the_entire_space_risk() -> None:
    labels = exact_population()
    q = np.array([0.3, 0.02, 0.4, 0.1])
    ideal = float(ref.bce(q, STRATA_R).mean())
    rows = {"ctr": np.repeat(ZP, ROWS), "cvr": np.repeat(logit(q), ROWS)}
    assert ref.escm2_ipw(rows, *labels)["cvr_ipw"] == pytest.approx(ideal, rel=1e-12)
    assert ref.naive(rows, *labels)["cvr"] != pytest.approx(ideal, rel=0.05)


@pytest.mark.parametrize("space", ["entire", "click"])
def test_evi_fixed_points(space: str) -> None:
    """A recorded-label teacher settles at CTCVR, a click-space one at CVR; students average."""
    g = STRATA_P * STRATA_R if space == "entire" else STRATA_R
    student = (STRATA_R + g) / 2
    strata = {"ctr": ZP, "cvr": logit(student), "teacher": logit(g)}
    numeric = expected_gradient("evi", strata, teacher_space=space)
    np.testing.assert_allclose(numeric["teacher"]["teacher"], 0.0, atol=1e-8)
    np.testing.assert_allclose(numeric["cvr"]["cvr"], 0.0, atol=1e-8)
    assert np.all(numeric["cvr"]["teacher"] == 0.0)
    other = "click" if space == "entire" else "entire"
    crossed = expected_gradient("evi", strata, teacher_space=other)["teacher"]["teacher"]
    assert np.all(np.abs(crossed) > 1e-4)


def test_evi_cvr_term_is_half_of_ipw_plus_distillation() -> None:
    z, (c, v) = random_batch(9, ("ctr", "cvr", "teacher"))
    ipw = ref.escm2_ipw(z, c, v, clip=CLIP)["cvr_ipw"]
    alone = ref.evi(z, c, v, clip=CLIP, unclicked_weight=0.0)["cvr"]
    assert alone == pytest.approx(0.5 * ipw, rel=1e-12)
    full = ref.evi(z, c, v, clip=CLIP, half=False)["cvr"]
    chorus = ref.choruscvr({**z, "uncvr": -z["teacher"]}, c, v, clip=CLIP, ipw_norm="entire")
    assert full == pytest.approx(ipw + chorus["align_cvr_unclicked"], rel=1e-12)
