"""What the specification says of the methods beyond their loss formulas, one test an item."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.methods import BATCH_METHODS, METHODS, Labels, Method, Outputs
from postclick.methods.base import PropensityConfig
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.heads import Head
from reference.population import ROWS, STRATA_P, STRATA_R, exact_population, logit, random_batch

from .helpers import CLIPS, PATTERNS, dense, make_batch, make_method, values

HEADS = ("ctr", "cvr", "uncvr", "teacher", "imputation", "propensity", "ctcvr")
HEADS += ("counterfactual", "domain", "cvr_second", "conversion")
NORMS = ("clicked", "entire", "self")
WEIGHTED = [name for name, method in METHODS.items() if issubclass(method.Config, PropensityConfig)]


def terms_of(
    name: str, z: dict[str, Any], labels: Any, **options: Any
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Terms at the given logits, and the logits as leaves."""
    method = METHODS[name]
    leaves = {head: torch.as_tensor(a).clone().requires_grad_() for head, a in z.items()}
    click, conversion = (torch.as_tensor(a) for a in labels)
    config = method.Config.parse(name, options)
    terms = method.terms(config, Outputs(dict(leaves)), Labels(click, conversion))
    return values(terms), leaves


# Imputation heads that predict an error start at that of a constant pCVR of .3.
ERROR_HEADS = {("multi_dr", "imputation"), ("escm2_dr", "imputation")}
MEAN_ERROR = -0.3 * math.log(0.3) - 0.7 * math.log(0.7)


def networks_heads(method: Method[Any]) -> dict[str, Head]:
    """All heads of a method, whichever of its networks they belong to."""
    found = [getattr(module, "heads", None) for module in method.modules()]
    networks = [heads for heads in found if isinstance(heads, torch.nn.ModuleDict)]
    return {name: head for heads in networks for name, head in heads.items()}


def slopes(term: Tensor, leaves: dict[str, Tensor]) -> dict[str, Tensor]:
    found = torch.autograd.grad(term, list(leaves.values()), retain_graph=True, allow_unused=True)
    return {
        head: torch.zeros_like(leaf) if gradient is None else gradient
        for (head, leaf), gradient in zip(leaves.items(), found, strict=True)
    }


@pytest.mark.parametrize("clip", [(0.01, 0.99), (0.3, 0.6)])
@pytest.mark.parametrize("seed", range(5))
def test_16_1_mean_clicked_is_n_over_clicks_times_mean_entire(
    seed: int, clip: tuple[float, float]
) -> None:
    z, labels = random_batch(seed, HEADS)
    factor = len(labels[0]) / labels[0].sum()
    chorus = terms_of("choruscvr", z, labels, clip=clip)[0]["cvr"]
    entire = terms_of("escm2_ipw", z, labels, clip=clip, ipw_norm="entire")[0]["cvr"]
    options = {"half": False, "unclicked_weight": 0.0}
    evi = terms_of("evi", z, labels, clip=clip, **options)[0]["cvr"]
    assert evi.item() == pytest.approx(entire.item(), rel=1e-14)
    assert chorus.item() == pytest.approx(factor * entire.item(), rel=1e-14)
    assert factor > 1.3


@pytest.mark.parametrize("name", WEIGHTED)
def test_16_2_weighted_terms_do_not_train_the_ctr_head_unless_attached(name: str) -> None:
    """A weighted term is one that a narrower clip changes."""
    z, labels = random_batch(0, HEADS)
    contract = METHODS[name].contract
    wide = {"clip": CLIPS[0]}
    terms, leaves = terms_of(name, z, labels, **wide)
    narrow, _ = terms_of(name, z, labels, clip=CLIPS[1])
    attached, attached_leaves = terms_of(name, z, labels, **wide, detach_propensity=False)
    weighted = [term for term in terms if not torch.equal(terms[term], narrow[term])]
    assert contract.weighted_cvr in weighted
    assert not {"ctr", "ctcvr", "ctuncvr", "teacher"} & set(weighted)
    head = METHODS[name].propensity_head
    always, never = set(contract.trains_propensity), set(contract.spares_propensity)
    assert always | never <= set(weighted)
    for term in weighted:
        assert (slopes(terms[term], leaves)[head] != 0).any() == (term in always), term
        assert torch.equal(terms[term], attached[term])
        reached = (slopes(attached[term], attached_leaves)[head] != 0).any()
        assert reached == (term not in never), term


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("name", WEIGHTED)
def test_16_2_holds_for_the_parameters_of_the_ctr_tower(name: str, detach: bool) -> None:
    method = make_method(name, {"detach_propensity": detach})
    batch = make_batch(*PATTERNS["mixed"])
    terms = method.terms(method.config, method(batch), Labels.of(batch))
    tower = dict(networks_heads(method)[method.propensity_head].named_parameters())
    term = terms[method.contract.weighted_cvr].value
    gradients = torch.autograd.grad(term, list(tower.values()), allow_unused=True)
    reached = [g is not None and bool((g != 0).any()) for g in gradients]
    assert reached == [not detach] * len(tower)


@pytest.mark.parametrize("norm", NORMS)
def test_16_3_alignment_terms_reach_one_head_on_their_own_rows(norm: str) -> None:
    z, labels = random_batch(1, HEADS[:3])
    terms, leaves = terms_of("choruscvr", z, labels, ipw_norm=norm)
    for head in ("cvr", "uncvr"):
        for space, rows in (("clicked", labels[0] == 1), ("unclicked", labels[0] == 0)):
            for other, gradient in slopes(terms[f"align_{head}_{space}"], leaves).items():
                reached = rows if other == head else np.zeros(len(rows), dtype=bool)
                np.testing.assert_array_equal(gradient.numpy() != 0, reached)


@pytest.mark.parametrize("norm", NORMS)
def test_16_4_choruscvr_is_stationary_at_the_truth(norm: str) -> None:
    """Expected gradient of every term and stratum: 0 at q = r, w = 1 - r, p true; not beside it."""
    p, r = logit(STRATA_P), logit(STRATA_R)
    for shift in (0.0, 0.5):
        truth = {"ctr": p + shift, "cvr": r + shift, "uncvr": -r + shift}
        rows = {head: np.repeat(z, ROWS) for head, z in truth.items()}
        terms, leaves = terms_of("choruscvr", rows, exact_population(), ipw_norm=norm)
        for name, term in terms.items():
            own = "ctr" if name == "ctr" else "uncvr" if "uncvr" in name else "cvr"
            for head, gradient in slopes(term, leaves).items():
                by_stratum = gradient.reshape(len(p), ROWS).sum(dim=1)
                if shift == 0:
                    assert by_stratum.abs().max() < 1e-14, (name, head)
                elif head == own:
                    assert by_stratum.min() > 1e-5, (name, head)


@pytest.mark.parametrize("norm", NORMS)
def test_16_4_ipw_at_the_true_propensity_is_stationary_at_the_truth(norm: str) -> None:
    rows = {"ctr": np.repeat(logit(STRATA_P), ROWS), "cvr": np.repeat(logit(STRATA_R), ROWS)}
    terms, leaves = terms_of("escm2_ipw", rows, exact_population(), ipw_norm=norm)
    for term in terms.values():
        for gradient in slopes(term, leaves).values():
            assert gradient.reshape(len(STRATA_P), ROWS).sum(dim=1).abs().max() < 1e-14


@pytest.mark.parametrize("click", [0.0, 1.0])
@pytest.mark.parametrize("name", METHODS)
def test_16_10_an_empty_subset_gives_zero_and_a_gradient(name: str, click: float) -> None:
    z, _ = random_batch(2, (*HEADS, "dependence"))
    n = len(z["ctr"])
    terms, leaves = terms_of(name, z, (np.full(n, click), np.zeros(n)))
    empty = "_unclicked" if click else "_clicked"
    for term, value in terms.items():
        assert torch.isfinite(value), term
        gradients = slopes(value, leaves)
        assert all(torch.isfinite(g).all() for g in gradients.values()), term
        if term.endswith(empty):
            assert value == 0
            assert not any(g.any() for g in gradients.values())
    if not click and name in ("naive", "escm2_ipw", "choruscvr"):
        assert terms["cvr"] == 0


def test_tied_uncvr_has_no_alignment_gradient_and_repeats_the_cvr_term() -> None:
    z, labels = random_batch(3, HEADS[:2])
    terms, leaves = terms_of("choruscvr", z, labels, tie_uncvr=True)
    assert terms["uncvr"].item() == pytest.approx(terms["cvr"].item(), rel=1e-14)
    for name, term in terms.items():
        steepest = max(g.abs().max().item() for g in slopes(term, leaves).values())
        assert (steepest < 1e-14) == name.startswith("align"), name
    method = make_method("choruscvr", {"tie_uncvr": True})
    assert set(method.net.heads) == {"ctr", "cvr"}


@pytest.mark.parametrize("term", ["cvr", "uncvr"])
@pytest.mark.parametrize("norm", NORMS)
def test_unweighted_choruscvr_terms_are_subset_means(norm: str, term: str) -> None:
    """ipw_cvr and ipw_uncvr each switch off the weights of their own term and no other."""
    z, labels = random_batch(4, HEADS[:3])
    plain = terms_of("choruscvr", z, labels, ipw_norm=norm)[0]
    switched = terms_of("choruscvr", z, labels, ipw_norm=norm, **{f"ipw_{term}": False})[0]
    assert {t for t in plain if not torch.equal(plain[t], switched[t])} == {term}
    c, y = labels[0], labels[1] if term == "cvr" else 1 - labels[1]
    loss = -np.log(np.where(y == 1, 1.0, -1.0) / (1 + np.exp(-z[term])) + (y == 0))
    expected = (c * loss).sum() / (len(c) if norm == "entire" else c.sum())
    assert switched[term].item() == pytest.approx(expected, rel=1e-12)


def test_heads_start_at_their_base_rates() -> None:
    """Rule 7: pCTR at the CTR, pCVR at the clicked CVR, unCVR at one minus it."""
    wanted = {"ctr": 0.2, "cvr": 0.3, "uncvr": 0.7, "imputation": 0.3, "propensity": 0.2}
    wanted |= {"ctcvr": 0.06, "counterfactual": 0.7, "conversion": 0.3, "cvr_second": 0.3}
    for name in METHODS:
        for head, module in networks_heads(make_method(name)).items():
            start = module.last.get_parameter("bias").sigmoid().item()
            expected = MEAN_ERROR if (name, head) in ERROR_HEADS else wanted[head]
            assert start == pytest.approx(expected, rel=1e-6), (name, head)


@pytest.mark.parametrize("name", BATCH_METHODS)
def test_all_terms_together_train_the_embedding(name: str) -> None:
    method = make_method(name)
    batch = make_batch(*PATTERNS["mixed"])
    tables = [m.table for m in method.modules() if isinstance(m, FeatureEmbedding)]
    for term, value in values(method.loss(batch)[1]).items():
        found = torch.autograd.grad(value, tables, retain_graph=True, allow_unused=True)
        reached = any((dense(gradient) != 0).any() for gradient in found if gradient is not None)
        assert reached == (term not in method.contract.flat_at_start), term
