"""The pairwise ranking term of `naive`: its pairs, its weights, and where it settles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from postclick.audit.fixed_point import solve
from postclick.audit.population import POPULATIONS
from postclick.losses import (
    listwise_ranking_loss,
    mean_pairs,
    pairwise_ranking_loss,
    row_weights,
)
from postclick.methods import METHODS, find_method

from .helpers import PATTERNS, make_batch, make_method


def test_the_mean_of_a_step_over_pairs_is_one_minus_auc() -> None:
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=300))
    v = torch.from_numpy((rng.random(300) < expit(z.numpy() - 1)).astype(float))
    wrong = mean_pairs(lambda i, j: (j > i).double() + 0.5 * (i == j).double(), z, v, 1 - v)
    assert wrong.item() == pytest.approx(1 - roc_auc_score(v, z), rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_a_pair_weighs_as_much_as_the_product_of_its_rows(scale: float) -> None:
    rng = np.random.default_rng(1)
    z = torch.from_numpy(rng.normal(size=9))
    click = torch.tensor([1.0, 1, 0, 1, 1, 1, 0, 1, 1]).double()
    conversion = torch.tensor([1.0, 0, 0, 1, 0, 0, 0, 1, 0]).double()
    counts = torch.tensor([2, 1, 5, 0, 3, 1, 1, 1, 0])
    copies = torch.repeat_interleave(torch.arange(9), counts)
    expected = pairwise_ranking_loss(z[copies], click[copies], conversion[copies])
    with row_weights(scale * counts.double()):
        found = pairwise_ranking_loss(z, click, conversion)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("pattern", ["no_click", "no_conversion", "all_conversions", "no_row"])
def test_a_batch_without_a_pair_gives_a_living_0(pattern: str) -> None:
    method = make_method("naive", {"rank_weight": 1.0, "list_weight": 1.0})
    terms = method.loss(make_batch(*PATTERNS[pattern]))[1]
    assert terms["rank"].value.item() == 0
    assert terms["rank"].value.requires_grad
    if pattern != "all_conversions":
        assert terms["list"].value.item() == 0
        assert terms["list"].value.requires_grad


def test_it_does_not_change_with_a_shift_of_all_logits() -> None:
    z, click = torch.tensor([0.3, -2.0, 1.0, 5.0]).double(), torch.tensor([1.0, 1, 1, 0])
    conversion = torch.tensor([1.0, 0, 0, 0])
    one = pairwise_ranking_loss(z, click, conversion)
    torch.testing.assert_close(pairwise_ranking_loss(z + 7.0, click, conversion), one)


def test_without_a_weight_there_is_no_term_and_naive_is_what_it_was() -> None:
    batch = make_batch(*PATTERNS["mixed"])
    assert list(make_method("naive").loss(batch)[1]) == ["ctr", "cvr"]
    assert list(make_method("naive", {"rank_weight": 0.3}).loss(batch)[1]) == ["ctr", "cvr", "rank"]
    assert list(make_method("naive", {"list_weight": 0.3}).loss(batch)[1]) == ["ctr", "cvr", "list"]
    config = METHODS["naive"].Config()
    assert config.rank_weight == config.list_weight == 0


def test_beside_cross_entropy_it_settles_at_the_truth() -> None:
    """Pairs fix logits up to a shift: sigmoid(z_i - z_j) is right at z = logit r + anything."""
    population = POPULATIONS["positive"]()
    method, options = find_method("naive/rank")
    found = solve(method, method.Config.parse("naive", options), population)
    np.testing.assert_allclose(found.pcvr, population.cell_cvr, rtol=1e-4)


@pytest.mark.parametrize("size", [1.0, 100.0])
def test_a_list_is_the_softmax_of_clicks_less_what_no_gradient_feels(size: float) -> None:
    rng = np.random.default_rng(2)
    z = torch.from_numpy(size * rng.normal(size=12)).requires_grad_()
    click = torch.from_numpy((np.arange(12) % 3 > 0).astype(float))
    conversion = torch.from_numpy((np.arange(12) % 4 == 1).astype(float))
    found = listwise_ranking_loss(z, click, conversion)
    clicked, converted = click > 0, click * conversion > 0
    softmax = -torch.log_softmax(z[clicked], 0)[converted[clicked]].mean()
    torch.testing.assert_close(found, softmax - click.sum().log())
    torch.testing.assert_close(listwise_ranking_loss(z + 5, click, conversion), found)
    (ours,) = torch.autograd.grad(found, z)
    (theirs,) = torch.autograd.grad(softmax, z)
    torch.testing.assert_close(ours, theirs)


def test_beside_cross_entropy_a_list_settles_beside_the_truth() -> None:
    """Too low where the rate is high and too high where it is low, as `expect` warns."""
    population = POPULATIONS["positive"]()
    method, options = find_method("naive/list")
    found = solve(method, method.Config.parse("naive", options), population)
    ratio = found.pcvr / population.cell_cvr
    high, low = population.cell_cvr.argmax(), population.cell_cvr.argmin()
    assert ratio[high] < 0.99
    assert ratio[low] > 1.01
