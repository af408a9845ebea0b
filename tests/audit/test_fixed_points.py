"""Fixed points that are known in closed form, found through the library's own losses."""

import numpy as np
import pytest

from postclick.audit.fixed_point import solve
from postclick.audit.population import POPULATIONS
from postclick.audit.run_audit import audit, every_method, has_ctcvr, verdict
from postclick.errors import InputError
from postclick.methods import METHODS, find_method


def entry(method, population="positive", full=True):
    return audit([method], [population], full=[full])[0]


def recorded_teacher_ratio():
    """EVI's CVR term alone, teacher at p r: the student stands still at (r + p r) / 2."""
    population = POPULATIONS["positive"]()
    p, r = population.cell_ctr, population.cell_cvr
    return ((r + p * r) / 2).mean() / r.mean()


def test_evi_recorded_teacher_is_the_closed_form_and_the_known_figure():
    found = entry("evi", full=False)
    assert found.entire == pytest.approx(recorded_teacher_ratio(), abs=5e-4)
    assert found.entire == pytest.approx(0.569, abs=2e-3)
    assert found.ctr_logit_error < 1e-3


@pytest.mark.slow
def test_evi_click_teacher_is_consistent():
    for full in (True, False):
        found = entry("evi/click_teacher", full=full)
        assert found.entire == pytest.approx(1.0, abs=1e-3)
        assert found.verdict == "consistent"


def test_evi_whole_loss_biases_both_heads():
    found = entry("evi")
    assert 0.52 <= found.entire <= 0.575
    assert 0.03 < found.ctr_logit_error < 0.15
    assert "pCVR 43 % too low" in found.verdict
    assert "pCTR biased" in found.verdict


@pytest.mark.parametrize("population", ["none", "positive", "negative"])
@pytest.mark.parametrize(
    "method", ["naive", "esmm", "escm2_ipw", "choruscvr", "choruscvr/no_ndm", "choruscvr/no_sam"]
)
def test_consistent_methods(method, population):
    found = entry(method, population)
    assert found.verdict == "consistent"
    assert max(abs(d) for d in found.deciles) < 5e-3
    assert found.ctr_ratio == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_a_hidden_confounder_biases_every_method_that_is_otherwise_consistent():
    for method in ("naive", "escm2_ipw", "choruscvr"):
        found = entry(method, "hidden")
        assert found.clicked == pytest.approx(1.0, abs=5e-3)
        assert found.unclicked > 1.2


def test_the_solver_recovers_the_propensity_of_every_cell():
    population = POPULATIONS["negative"]()
    method, options = find_method("naive")
    found = solve(method, method.Config.parse("naive", options), population)
    assert np.abs(found.pctr - population.cell_ctr).max() < 1e-6
    assert np.abs(found.pcvr - population.cell_cvr).max() < 1e-6
    assert found.residual < 1e-5


def test_verdicts_in_words():
    right = {"clicked": 1.0, "unclicked": 1.0, "entire": 1.0}
    assert verdict(right, [0.01] * 10, 0.0, 0.0) == "consistent"
    assert verdict(right, [0.2, -0.1], 0.0, 0.0).startswith("pCVR right on average, off by 20 %")
    high = {**right, "entire": 1.41}
    assert verdict(high, [0.5], 0.0, 0.0) == "pCVR 41 % too high"
    assert "pCTR biased by up to 0.10 logit" in verdict(right, [0.0], 0.1, 0.0)
    assert verdict(right, [0.0], 0.0, 20.0) == "no fixed point"


def test_every_method_and_variant_is_audited():
    names = every_method()
    assert set(METHODS) <= set(names)
    assert len(names) == len(METHODS) + sum(len(m.variants) for m in METHODS.values())


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="no population 'mars'"):
        audit(["naive"], ["mars"])
    with pytest.raises(InputError, match="no method 'chorus'"):
        audit(["chorus"], ["none"])


def test_ddpo_without_ctcvr_is_the_closed_form_and_the_known_figure():
    """On clicks the target is r + (1 - r) r, on the rest r: the weights make them equal halves."""
    population = POPULATIONS["positive"]()
    r = population.cell_cvr
    found = entry("ddpo", full=False)
    assert found.entire == pytest.approx(((r + (1 - r) * r + r) / 2).mean() / r.mean(), abs=5e-4)
    assert found.entire == pytest.approx(1.405, abs=5e-3)
    assert found.verdict == "pCVR 41 % too high"


def test_the_loss_without_ctcvr_is_audited_wherever_that_leaves_one_for_pcvr():
    left_out = {m.name for m in METHODS.values() if has_ctcvr(m.name)}
    assert left_out == {
        "ctnocvr", "escm2_ipw", "escm2_dr", "ips_v2", "dr_v2", "dcmt", "ddpo", "evi", "choruscvr"
    }  # fmt: skip


def test_with_an_exposure_selection_alone_is_right_about_a_hidden_cause():
    for method in ("naive", "escm2_ipw"):
        assert entry(method, "exposed").entire > 1.4
    found = entry("selection", "exposed")
    assert found.verdict == "consistent"
    assert found.entire == pytest.approx(1.0, abs=1e-3)
    assert found.unclicked > 1 > found.clicked  # one rate by cell: who clicks converts more
    fixed = entry("selection/no_dependence", "exposed")
    assert fixed.entire == pytest.approx(entry("naive", "exposed").entire, abs=0.02)


def test_a_wrong_latent_leaves_a_bias_and_the_right_one_little():
    population = POPULATIONS["exposed_skewed"]()
    method, _ = find_method("selection")
    off = {}
    for latent in ("normal", "skewed"):
        config = method.Config.parse("selection", {"latent": latent})
        found = solve(method, config, population)
        off[latent] = abs(float(found.pcvr.mean() / population.cell_cvr.mean()) - 1)
    assert off["skewed"] < 0.05  # 15 nodes of a gamma distribution are coarse
    assert 0.15 < off["normal"] < entry("naive", "exposed_skewed").entire - 1


def test_exposures_change_no_verdict_where_nothing_reads_more_of_them():
    """Merged rows, free exposures: naive is right about clicks at every position."""
    found = entry("naive", "exposed")
    assert found.ctr_ratio == pytest.approx(1.0, abs=1e-4)
    assert found.ctr_logit_error < 1e-3
    assert found.residual < 1e-3
