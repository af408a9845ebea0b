"""DR-JL, MRDR, DR-BIAS, DR-MSE: the imputed label's weights and gradients, and the stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.losses import weighted_sum
from postclick.losses.log_propensity import LARGEST_WEIGHT, LogPropensity
from postclick.methods import Method, Step
from reference.population import ROWS, STRATA_P, STRATA_R, exact_population, logit, random_batch

from .helpers import PATTERNS, dense, make_batch, make_method, steps_of, weights_of
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "imputation")
# At pi = .2: 1/pi, (1 - pi)/pi^2, (1 - pi)^2/pi^3, and a quarter of the last with the rest of MRDR.
WEIGHTS: dict[str, tuple[dict[str, Any], float]] = {
    "dr_jl": ({}, 5.0),
    "mrdr": ({}, 20.0),
    "dr_bias": ({}, 80.0),
    "dr_mse": ({"bias_weight": 0.25}, 35.0),
}
STAGED = [*WEIGHTS, "mrdr_gpl"]
every_method = pytest.mark.parametrize("name", WEIGHTS)
every_staged = pytest.mark.parametrize("name", STAGED)


@pytest.mark.parametrize("conversion", [0.0, 1.0])
@pytest.mark.parametrize("loss", ["squared", "ce"])
@every_method
def test_the_imputation_loss_has_the_weight_of_its_method(
    name: str, loss: str, conversion: float
) -> None:
    options, weight = WEIGHTS[name]
    p, q, a = 0.2, 0.1, 0.3
    z = {head: logit(np.full(2, x)) for head, x in zip(HEADS, (p, q, a), strict=True)}
    labels = (np.array([1.0, 0.0]), np.array([conversion, 0.0]))
    terms, _ = terms_of(name, z, labels, imputation_loss=loss, **options)
    # (e - m)^2 = (a - v)^2 logit(q)^2, spelled out as the two cross-entropies.
    error = -np.log(q if conversion else 1 - q)
    imputed = -a * np.log(q) - (1 - a) * np.log(1 - q)
    assert error - imputed == pytest.approx((a - conversion) * logit(np.array(q)))
    squared, entropy = (error - imputed) ** 2, -np.log(a if conversion else 1 - a)
    expected = weight * (squared if loss == "squared" else entropy)
    assert terms["imputation"].item() == pytest.approx(expected / 2)
    clicked, _ = terms_of(
        name, z, labels, imputation_loss=loss, imputation_norm="clicked", **options
    )
    assert clicked["imputation"].item() == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_dr_mse_lies_between_mrdr_and_dr_bias(share: float) -> None:
    z, labels = random_batch(0, HEADS)
    end = terms_of("dr_bias" if share else "mrdr", z, labels)[0]
    mixed = terms_of("dr_mse", z, labels, bias_weight=share)[0]
    assert mixed["imputation"].item() == pytest.approx(end["imputation"].item(), rel=1e-14)


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("loss", ["squared", "ce"])
@every_method
def test_each_term_trains_its_own_head(name: str, loss: str, detach: bool) -> None:
    z, labels = random_batch(1, HEADS)
    options = {"imputation_loss": loss, "detach_propensity": detach}
    terms, leaves = terms_of(name, z, labels, **options)
    reached = {
        term: {head for head, slope in slopes(value, leaves).items() if slope.any()}
        for term, value in terms.items()
    }
    assert reached == {
        "ctr": {"ctr"},
        "cvr": {"cvr"} if detach else {"cvr", "ctr"},
        "imputation": {"imputation"},
    }
    off_click = torch.from_numpy(labels[0]) == 0
    assert not slopes(terms["imputation"], leaves)["imputation"][off_click].any()


@every_method
def test_the_gradient_of_the_prediction_passes_through_m(name: str) -> None:
    """d/dz of mean[m + c/pi (e - m)] = {q - a + c/pi (a - v)} / n."""
    z, (c, v) = random_batch(2, HEADS)
    terms, leaves = terms_of(name, z, (c, v))
    p, q, a = (1 / (1 + np.exp(-z[head])) for head in HEADS)
    expected = (q - a + c / p * (a - v)) / len(c)
    np.testing.assert_allclose(slopes(terms["cvr"], leaves)["cvr"].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("propensity", "label"), [(0.0, 0.0), (0.0, 0.7), (0.7, 0.0), (0.7, 0.7)], ids=str
)
@every_method
def test_it_is_doubly_robust(name: str, propensity: float, label: float) -> None:
    """At the true CVR the expected gradient is 0 if the propensity or the label is right."""
    truth = {"ctr": logit(STRATA_P) + propensity, "cvr": logit(STRATA_R)}
    truth["imputation"] = logit(STRATA_R) + label
    rows = {head: np.repeat(z, ROWS) for head, z in truth.items()}
    terms, leaves = terms_of(name, rows, exact_population(), clip=(1e-4, 1 - 1e-4))
    gradient = slopes(terms["cvr"], leaves)["cvr"].reshape(len(STRATA_P), ROWS).sum(dim=1)
    if propensity and label:
        assert gradient.abs().min() > 1e-3
    else:
        assert gradient.abs().max() < 1e-14


def test_log_propensities_are_the_plain_formulas() -> None:
    z = torch.linspace(-6, 6, 41, dtype=torch.float64)
    pi = z.sigmoid().clamp(0.05, 0.9)
    found = LogPropensity.of(z, (0.05, 0.9))
    torch.testing.assert_close(found.inverse(), 1 / pi)
    torch.testing.assert_close(found.inverse_rest(), 1 / (1 - pi))
    torch.testing.assert_close(found.weight(2, 3), (1 - pi) ** 2 / pi**3)
    smallest = LogPropensity.of(torch.tensor([-100.0]), (1e-15, 0.5))
    assert smallest.weight(2, 3).item() == pytest.approx(LARGEST_WEIGHT, rel=1e-5)


# --- stages


@every_staged
def test_a_propensity_phase_comes_first_and_is_not_judged(name: str) -> None:
    for share, epochs, first in ((0.2, 10, 2), (0.5, 10, 5), (0.2, 1, 1), (2.0, 3, 6)):
        phases = make_method(name, {"propensity_share": share}).schedule(epochs)
        assert [phase.name for phase in phases] == ["propensity", "alternate"]
        assert [phase.epochs for phase in phases] == [first, epochs]
        assert [phase.judged for phase in phases] == [False, True]
        assert [step.name for step in phases[1].steps][-2:] == ["imputation", "prediction"]


@every_staged
def test_epoch_copy_takes_turns_epoch_by_epoch(name: str) -> None:
    phases = make_method(name, {"turns": "epoch_copy"}).schedule(5)
    turn = ["regularise"] * (name == "mrdr_gpl") + ["imputation", "prediction"]
    assert [phase.name for phase in phases] == ["propensity", *turn * 5]
    assert phases[0].epochs == 2
    assert all(phase.epochs == 1 and len(phase.steps) == 1 for phase in phases[1:])
    assert [phase.name for phase in phases if phase.judged] == ["prediction"] * 5


@pytest.mark.parametrize("own", [True, False])
@every_staged
def test_epoch_copy_starts_the_imputation_from_the_prediction(name: str, own: bool) -> None:
    batch = make_batch(*PATTERNS["mixed"])
    embeddings = {"imputation_embeddings": "own" if own else "shared"}
    for schedule in ("alternate", "epoch_copy"):
        method = make_method(name, {"turns": schedule, **embeddings})
        for phase in method.schedule(4):
            before = method(batch).logits["imputation"]
            method.begin(phase)
            after = method(batch).logits
            if phase.name == "imputation":
                assert torch.equal(after["imputation"], after["cvr"])
                copied = dict(method.named_parameters())
                with torch.no_grad():  # a copy, not the same weights
                    copied["imputation.heads.imputation.last.bias"].add_(1.0)
                assert not torch.equal(method(batch).logits["imputation"], after["imputation"])
                assert torch.equal(method(batch).logits["cvr"], after["cvr"])
            else:
                assert torch.equal(after["imputation"], before)


def reached(method: Method[Any], step: Step) -> set[str]:
    """Parameters that get a gradient from a step."""
    method.zero_grad()
    _, terms = method.loss(make_batch(*PATTERNS["mixed"]), step)
    weighted_sum(terms).backward()
    found: dict[str, Tensor | None] = {n: p.grad for n, p in method.named_parameters()}
    return {name for name, gradient in found.items() if gradient is not None}


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("embeddings", ["shared", "own"])
@every_staged
def test_a_step_reaches_the_parameters_that_it_updates(
    name: str, embeddings: str, detach: bool
) -> None:
    options = {"imputation_embeddings": embeddings, "detach_propensity": detach}
    method = make_method(name, options)
    for step in steps_of(method):
        updated = {parameter for parameter, _ in method.trained(step)}
        assert reached(method, step) == updated
        weighing = "propensity_model." if name == "mrdr_gpl" else "click_model."
        if step.name in ("imputation", "prediction"):
            trained = any(parameter.startswith(weighing) for parameter in updated)
            assert trained == (step.name == "prediction" and not detach)


@every_staged
def test_pctr_is_frozen_after_its_phase(name: str) -> None:
    """Not a bit of it changes, with batch norm and dropout, while everything else is trained."""
    method = make_method(name, batch_norm=True, dropout=0.3).train()
    batch = make_batch(*PATTERNS["mixed"])
    served = method.eval().predict(batch)
    optimizer = torch.optim.SGD(method.parameters(), lr=0.1)
    for step in method.train().schedule(4)[1].steps:
        for parameter in method.parameters():
            parameter.grad = None
        weighted_sum(method.loss(batch, step)[1]).backward()
        for parameter in method.parameters():
            if parameter.grad is not None:
                parameter.grad = dense(parameter.grad)
        optimizer.step()
        assert all(module.training for module in method.modules())
    after = method.eval().predict(batch)
    assert torch.equal(after.ctr, served.ctr)
    assert not torch.equal(after.cvr, served.cvr)


@every_staged
def test_steps_whose_terms_weigh_nothing_are_left_out(name: str) -> None:
    names = [step.name for step in steps_of(make_method(name, {"imputation_weight": 0.0}))]
    assert "imputation" not in names
    assert names[-1] == "prediction"
    alone = dict.fromkeys((t + "_weight" for t in weights_of(make_method(name))), 0.0)
    alone = {k: v for k, v in alone.items() if k in type(make_method(name).config).model_fields}
    gpl = {"regulariser_weight": 0.0} if name == "mrdr_gpl" else {}
    (phase,) = make_method(name, {**alone, **gpl, "ctr_weight": 1.0}).schedule(7)
    assert (phase.name, phase.epochs, phase.judged) == ("propensity", 7, True)


@pytest.mark.parametrize("turns", ["alternate", "epoch_copy"])
@every_staged
def test_the_length_of_a_run_is_known_before_it_begins(name: str, turns: str) -> None:
    method = make_method(name, {"turns": turns})
    for epochs in (1, 2, 7):
        planned = sum(phase.epochs for phase in method.schedule(epochs))
        assert planned == epochs + method.extra_epochs(method.config, epochs) > epochs
