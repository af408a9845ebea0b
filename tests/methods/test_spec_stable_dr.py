"""StableDR: its constraint, what its steps train, and the double robustness it is there for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from postclick.audit.fixed_point import solve
from postclick.audit.population import POPULATIONS
from postclick.losses import weighted_sum
from postclick.methods import METHODS
from reference.losses import bce, sigmoid
from reference.population import random_batch

from .helpers import PATTERNS, make_batch, make_method, steps_of
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "imputation")


@pytest.mark.parametrize("seed", range(3))
def test_the_constraint_is_the_imbalance_that_the_authors_code_squares(seed: int) -> None:
    """(1 - c/p)(m - mean m) has the sum of -(c/p)(m - mean m): the rest adds to nothing."""
    z, (click, conversion) = random_batch(seed, HEADS)
    found = terms_of("stable_dr", z, (click, conversion))[0]["constraint"].item()
    p = np.clip(sigmoid(z["ctr"]), 0.01, 0.99)
    m = bce(sigmoid(z["cvr"]), sigmoid(z["imputation"]))
    total = float(((1 - click / p) * (m - m.mean())).sum())
    assert found == pytest.approx((total / click.size) ** 2, rel=1e-10)


def test_where_the_constraint_holds_weighted_clicks_have_the_mean_imputed_error() -> None:
    """Then the self-normalised loss is right where m is, whatever the propensity."""
    z, (click, conversion) = random_batch(1, HEADS)
    ctr = torch.from_numpy(z["ctr"]).clone().requires_grad_()
    optimizer = torch.optim.LBFGS([ctr], tolerance_grad=1e-14, tolerance_change=1e-18)
    method = METHODS["stable_dr"]
    fixed = {head: torch.from_numpy(z[head]) for head in HEADS[1:]}
    labels = torch.from_numpy(click), torch.from_numpy(conversion)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = method.loss_on({"ctr": ctr, **fixed}, *labels)["constraint"].value
        loss.backward()
        return loss

    for _ in range(20):
        optimizer.step(closure)
    assert closure().item() < 1e-14
    weight = click / np.clip(sigmoid(ctr.detach().numpy()), 0.01, 0.99)
    m = bce(sigmoid(z["cvr"]), sigmoid(z["imputation"]))
    assert float((weight * m).sum() / weight.sum()) == pytest.approx(m.mean(), rel=1e-6)


def test_each_term_trains_the_head_that_it_is_for() -> None:
    z, labels = random_batch(2, HEADS)
    terms, leaves = terms_of("stable_dr", z, labels)
    trained = {
        term: {head for head, slope in slopes(value, leaves).items() if slope.any()}
        for term, value in terms.items()
    }
    assert trained == {
        "ctr": {"ctr"},
        "constraint": {"ctr"},
        "cvr": {"cvr"},
        "imputation": {"imputation"},
    }
    attached, leaves = terms_of("stable_dr", z, labels, detach_propensity=False)
    assert slopes(attached["cvr"], leaves)["ctr"].any()


def test_without_a_constraint_pcvr_is_trained_as_snips_trains_it() -> None:
    z, labels = random_batch(3, HEADS)
    ours, its = terms_of("stable_dr", z, labels), terms_of("snips", z, labels)
    assert ours[0]["cvr"].item() == pytest.approx(its[0]["cvr"].item(), rel=1e-14)


@pytest.mark.parametrize("turns", ["alternate", "epoch_copy"])
def test_imputation_propensity_and_prediction_take_turns_in_this_order(turns: str) -> None:
    phases = make_method("stable_dr", {"turns": turns}).schedule(2)
    steps = [step.name for phase in phases for step in phase.steps]
    round_ = ["imputation", "constrain", "prediction"]
    assert steps == ["propensity", *round_ * (1 if turns == "alternate" else 2)]
    for epochs in (1, 2, 7):
        method = make_method("stable_dr", {"turns": turns})
        planned = sum(phase.epochs for phase in method.schedule(epochs))
        assert planned == epochs + method.extra_epochs(method.config, epochs)


def test_the_propensity_goes_on_being_trained_by_its_own_step_alone() -> None:
    method = make_method("stable_dr")
    for step in steps_of(method):
        method.zero_grad()
        weighted_sum(method.loss(make_batch(*PATTERNS["mixed"]), step)[1]).backward()
        reached = {n for n, p in method.named_parameters() if p.grad is not None}
        assert reached == {name for name, _ in method.trained(step)}
        own = step.name in ("propensity", "constrain")
        assert all(name.startswith("click_model.") == own for name in reached)


def test_steps_whose_terms_weigh_nothing_are_left_out() -> None:
    def names(**options: float) -> list[str]:
        return [step.name for step in steps_of(make_method("stable_dr", options))]

    assert names(imputation_weight=0.0) == ["propensity", "constrain", "prediction"]
    assert names(ctr_weight=0.0) == ["imputation", "constrain", "prediction"]
    assert names(ctr_weight=0.0, constraint_weight=0.0) == ["imputation", "prediction"]


@pytest.mark.parametrize(("clip", "off"), [((0.001, 0.999), 0.0), ((0.01, 0.99), 0.21)])
def test_pctr_is_moved_by_the_constraint_only_where_propensities_are_clipped(clip, off) -> None:
    method, population = METHODS["stable_dr"], POPULATIONS["positive"]()
    found = solve(method, method.Config(clip=clip), population)
    truth = population.cell_ctr
    error = np.abs(np.log(found.pctr / (1 - found.pctr)) - np.log(truth / (1 - truth))).max()
    assert error == pytest.approx(off, abs=5e-3)
    np.testing.assert_allclose(found.pcvr, population.cell_cvr, rtol=1e-3)
