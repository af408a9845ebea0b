"""UKD: an adversarial teacher, then a student that believes it where its two heads agree."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.losses import weighted_sum
from postclick.methods import Labels, Method, Outputs
from postclick.methods.networks.ukd import reversal_strength, reverse_gradient
from postclick.methods.ukd import STUDENT, TEACHER, Ukd, divergence
from reference.population import random_batch

from .helpers import BACKBONES, PATTERNS, dense, make_batch, make_method, weights_of
from .tabular import settle
from .test_spec import slopes, terms_of

HEADS = ("teacher", "domain", "ctr", "cvr", "cvr_second")
SIZE = 16


def drawn(seed: int = 0, spread: float = 0.2) -> tuple[dict[str, Any], Any]:
    """Random logits; those of the students nearly agree, or no soft label is believed."""
    z, labels = random_batch(seed, HEADS, SIZE)
    z["cvr_second"] = z["cvr"] + np.random.default_rng(seed).normal(0, spread, SIZE)
    return z, labels


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def kl(a: Any, b: Any) -> Any:
    p, q = sigmoid(a), sigmoid(b)
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def with_gradient(method: Method[Any], loss: Tensor) -> set[str]:
    method.zero_grad()
    loss.backward()
    return {
        name
        for name, parameter in method.named_parameters()
        if parameter.grad is not None and bool((dense(parameter.grad) != 0).any())
    }


# --- the teacher


def test_weighting_clicks_is_drawing_them_until_there_are_as_many() -> None:
    """3 of 12 rows clicked: the published batch has each of them three times, in expectation."""
    z = {head: np.random.default_rng(k).normal(size=12) for k, head in enumerate(HEADS)}
    click = np.array([1.0] * 3 + [0.0] * 9)
    conversion = np.array([1.0, 0.0, 0.0] + [0.0] * 9)
    terms, _ = terms_of("ukd", z, (click, conversion))
    rows = np.concatenate([np.tile(np.arange(3), 3), np.arange(3, 12)])
    c, v = click[rows], conversion[rows]
    a, d = sigmoid(z["teacher"])[rows], sigmoid(z["domain"])[rows]
    loss = c * -(v * np.log(a) + (1 - v) * np.log(1 - a))
    domain = -(c * np.log(d) + (1 - c) * np.log(1 - d))
    assert terms["teacher"].item() == pytest.approx(loss.mean(), rel=1e-12)
    assert terms["adversarial"].item() == pytest.approx(domain.mean(), rel=1e-12)


def test_reversal_is_the_identity_with_a_negative_gradient() -> None:
    x = torch.randn(5, requires_grad=True)
    assert torch.equal(reverse_gradient(x, 0.3), x)
    (gradient,) = torch.autograd.grad(reverse_gradient(x, 0.3).square().sum(), x)
    torch.testing.assert_close(gradient, -0.3 * 2 * x)


def test_the_reversal_warms_up_over_the_phase() -> None:
    strengths = [reversal_strength(k / 10) for k in range(11)]
    assert strengths[0] == 0
    assert strengths[-1] == pytest.approx(1, abs=1e-4)
    assert all(a < b for a, b in pairwise(strengths))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_discriminator_is_fitted_and_the_representation_made_to_fool_it(backbone: str) -> None:
    method, batch = make_method("ukd", {}, backbone), make_batch(*PATTERNS["mixed"])
    named = {n: p for n, p in method.named_parameters() if n.startswith("teacher.")}

    def gradients(progress: float) -> dict[str, Tensor]:
        method.progress = progress
        _, terms = method.loss(batch, TEACHER)
        found = torch.autograd.grad(
            terms["adversarial"].value, list(named.values()), allow_unused=True
        )
        return {n: dense(g) for n, g in zip(named, found, strict=True) if g is not None}

    start, half, end = (gradients(progress) for progress in (0.0, 0.1, 1.0))
    strength = reversal_strength(0.1) / reversal_strength(1.0)
    for name, gradient in end.items():
        if name.startswith("teacher.discriminator."):
            torch.testing.assert_close(start[name], gradient)
        else:
            assert not start[name].any(), name
            torch.testing.assert_close(half[name], strength * gradient)
    below = [n for n in end if n.startswith("teacher.head.tower.") and end[n].any()]
    assert below
    assert "teacher.embedding.table" in end
    # One step down the gradient fits the discriminator, one of the tower does it harm.
    for part, better in (("teacher.discriminator.", True), ("teacher.head.tower.", False)):
        fresh = make_method("ukd", {}, backbone)
        fresh.progress = 1.0
        before = fresh.loss(batch, TEACHER)[1]["adversarial"].value
        with torch.no_grad():
            for name, parameter in fresh.named_parameters():
                if name.startswith(part) and name in end:
                    parameter.sub_(0.01 * end[name])
        after = fresh.loss(batch, TEACHER)[1]["adversarial"].value
        assert bool(after < before) == better, part


def test_the_teacher_has_embeddings_of_its_own_and_each_step_its_parameters() -> None:
    method = make_method("ukd")
    assert method.teacher.embedding.table.data_ptr() != method.embedding.table.data_ptr()
    own = {name for name, _ in method.trained(TEACHER)}
    rest = {name for name, _ in method.trained(STUDENT)}
    assert own | rest == {name for name, _ in method.named_parameters()}
    assert not own & rest
    batch = make_batch(*PATTERNS["mixed"])
    assert with_gradient(method, weighted_sum(method.loss(batch, TEACHER)[1])) <= own
    assert with_gradient(method, weighted_sum(method.loss(batch, STUDENT)[1])) <= rest


def test_the_teacher_is_frozen_in_the_student_phase() -> None:
    """No gradient, no dropout, no new batch statistics; and it is left in the mode it was in."""
    method = make_method("ukd", batch_norm=True, dropout=0.5).train()
    batch = make_batch(*PATTERNS["mixed"])
    method.loss(batch, TEACHER)
    before = {name: tensor.clone() for name, tensor in method.teacher.state_dict().items()}
    one, two = (method.loss(batch, STUDENT)[0].logits for _ in range(2))
    assert torch.equal(one["teacher"], two["teacher"])
    assert not one["teacher"].requires_grad
    assert not torch.equal(one["cvr"], two["cvr"])
    for name, tensor in method.teacher.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(module.training for module in method.modules())
    trained = method.loss(batch, TEACHER)[0].logits["teacher"]
    assert not torch.equal(trained, method.loss(batch, TEACHER)[0].logits["teacher"])


def test_heads_of_each_step() -> None:
    method, batch = make_method("ukd"), make_batch(*PATTERNS["mixed"])
    outputs, terms = method.loss(batch, TEACHER)
    assert set(outputs.logits) == {"teacher", "domain"}
    assert set(terms) == set(TEACHER.terms)
    outputs, terms = method.loss(batch, STUDENT)
    assert set(outputs.logits) == {"teacher", "ctr", "cvr", "cvr_second"}
    assert set(terms) == set(STUDENT.terms)
    assert set(method(batch).logits) == set(HEADS)


@pytest.mark.parametrize(("epochs", "counts"), [(1, [1, 1]), (2, [2, 2]), (10, [10, 10])])
def test_schedule(epochs: int, counts: list[int]) -> None:
    phases = make_method("ukd").schedule(epochs)
    assert [(phase.name, phase.judged) for phase in phases] == [
        ("teacher", False),
        ("student", True),
    ]
    assert [phase.epochs for phase in phases] == counts
    assert sum(counts) == epochs + Ukd.extra_epochs(Ukd.Config(), epochs)
    no_teacher = {"teacher_weight": 0.0, "adversarial_weight": 0.0}
    assert [p.name for p in make_method("ukd", no_teacher).schedule(3)] == ["student"]
    no_student = {"ctr_weight": 0.0, "cvr_weight": 0.0, "agreement_weight": 0.0}
    (only,) = make_method("ukd", no_student).schedule(3)
    assert (only.name, only.epochs, only.judged) == ("teacher", 3, True)


# --- the student


@pytest.mark.parametrize("uncertainty", [True, False])
@pytest.mark.parametrize("exponent", [100.0, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_soft_labels_weigh_exp_of_minus_100_divergences(
    seed: int, exponent: float, uncertainty: bool
) -> None:
    """The gradient is unclicked_weight u (q - a) / n without a click, (q - v) / n with one."""
    z, (click, conversion) = drawn(seed)
    options = {"exponent": exponent, "uncertainty": uncertainty, "unclicked_weight": 0.7}
    terms, leaves = terms_of("ukd", z, (click, conversion), **options)
    a = sigmoid(z["teacher"])
    pairs = {"cvr_first": ("cvr", "cvr_second"), "cvr_second": ("cvr_second", "cvr")}
    for term, (own, other) in pairs.items():
        q = sigmoid(z[own])
        u = np.exp(-exponent * kl(z[own], z[other])) if uncertainty else np.ones(SIZE)
        expected = click * (q - conversion) + 0.7 * (1 - click) * u * (q - a)
        found = slopes(terms[term], leaves)
        np.testing.assert_allclose(found[own].numpy(), expected / SIZE, rtol=1e-8, atol=1e-15)
        # The divergence is held, and so is the label.
        for head in {*HEADS} - {own}:
            assert not found[head].any(), head
        assert (u < 0.99).any() == uncertainty


@pytest.mark.parametrize(("options", "everywhere"), [({}, False), ({"kl_space": "all"}, True)])
def test_the_students_agree_where_nobody_clicked_or_everywhere(
    options: dict[str, Any], everywhere: bool
) -> None:
    z, (click, conversion) = drawn()
    terms, leaves = terms_of("ukd", z, (click, conversion), **options)
    rows = np.ones(SIZE) if everywhere else 1 - click
    for term, (a, b) in {
        "agreement_12": ("cvr", "cvr_second"),
        "agreement_21": ("cvr_second", "cvr"),
    }.items():
        expected = (rows * kl(z[a], z[b])).sum() / SIZE
        assert terms[term].item() == pytest.approx(expected, rel=1e-9)
        found = slopes(terms[term], leaves)
        for head in (a, b):
            np.testing.assert_array_equal(found[head].numpy() != 0, rows == 1)


def test_the_evi_repository_differs_in_weights_and_space() -> None:
    weights = weights_of(make_method("ukd", Ukd.variants["evi_repo"]))
    assert (weights["cvr_first"], weights["cvr_second"], weights["ctr"]) == (0.2, 0.2, 0.2)
    assert Ukd.variants["evi_repo"]["kl_space"] == "all"


def test_divergence_is_zero_for_equals_and_capped() -> None:
    z = torch.linspace(-40, 40, 81, dtype=torch.float64, requires_grad=True)
    assert divergence(z, z).abs().max() < 1e-12
    assert (divergence(z, z.detach().flip(0)) >= 0).all()
    far = divergence(torch.tensor([500.0], dtype=torch.float64), torch.tensor([-500.0]).double())
    assert far.item() == pytest.approx(np.log(1e6), rel=1e-5)
    gradient = torch.autograd.grad(divergence(z, -z.detach()).sum(), z)[0]
    assert torch.isfinite(gradient).all()


def test_pcvr_is_the_mean_of_both_students() -> None:
    first = torch.tensor([-60.0, -2.0, 0.0, 3.0, 60.0], dtype=torch.float64)
    second = torch.tensor([-62.0, 1.0, 0.0, -1.0, 62.0], dtype=torch.float64)
    ctr = torch.zeros(5, dtype=torch.float64)
    outputs = Outputs({"ctr": ctr, "cvr": first, "cvr_second": second})
    served = Ukd.serve(None, outputs)
    for sign in (1, -1):
        mean = ((sign * first).sigmoid() + (sign * second).sigmoid()) / 2
        torch.testing.assert_close((sign * served.cvr).sigmoid(), mean, rtol=1e-9, atol=0)
    assert torch.equal(served.ctr, ctr)


def test_the_students_share_a_tower_and_drop_inputs_of_their_own() -> None:
    method = make_method("ukd")
    student, batch = method.student, make_batch(*PATTERNS["mixed"])
    with torch.no_grad():
        student.heads["cvr_second"].load_state_dict(student.heads["cvr"].state_dict())
        logits = [method.train().loss(batch, STUDENT)[0].logits for _ in range(4)]
        assert any(not torch.equal(out["cvr"], out["cvr_second"]) for out in logits)
        still = method.eval().loss(batch, STUDENT)[0].logits
    assert torch.equal(still["cvr"], still["cvr_second"])
    torch.testing.assert_close(method.predict(batch).cvr, still["cvr"])


def test_terms_follow_from_the_heads_that_there_are() -> None:
    z, labels = drawn()
    method = make_method("ukd")
    outputs = Outputs({head: torch.from_numpy(a) for head, a in z.items()})
    found = method.terms(method.config, outputs, Labels(*map(torch.from_numpy, labels)))
    assert set(found) == set(weights_of(method))


@pytest.mark.parametrize("options", [{}, {"uncertainty": False}, {"kl_space": "all"}])
def test_teacher_and_student_settle_at_the_truth(options: dict[str, Any]) -> None:
    found = settle("ukd", HEADS, **options)
    assert found.slope < 1e-8
    assert found.ratio == pytest.approx(1.0, abs=1e-4)
