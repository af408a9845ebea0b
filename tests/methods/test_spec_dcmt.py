"""DCMT: what the counterfactual head is fitted to, how the weights are normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from reference.population import random_batch

from .helpers import make_method
from .tabular import settle
from .test_spec import slopes, terms_of

HEADS = ("ctr", "cvr", "counterfactual")
SIZE = 16


def drawn(seed: int = 0) -> tuple[dict[str, Any], Any]:
    return random_batch(seed, HEADS, SIZE)


@pytest.mark.parametrize("normalise", [True, False])
def test_16_9_the_counterfactual_target_of_unclicked_rows_is_one(normalise: bool) -> None:
    z, labels = drawn()
    terms, leaves = terms_of("dcmt", z, labels, self_normalise=normalise)
    found = slopes(terms["counterfactual"], leaves)
    unclicked = labels[0] == 0
    # Downhill is up, for every unclicked row, and only the counterfactual head is trained.
    assert (found["counterfactual"].numpy()[unclicked] < 0).all()
    assert (found["counterfactual"].numpy()[~unclicked] == 0).all()
    assert not found["cvr"].any()
    certain = {**z, "counterfactual": np.full(SIZE, 40.0)}
    assert terms_of("dcmt", certain, labels)[0]["counterfactual"] < 1e-15


def test_the_evi_repository_fits_the_counterfactual_head_to_zero() -> None:
    z, labels = drawn()
    options = {"counterfactual_label": "recorded"}
    terms, leaves = terms_of("dcmt", z, labels, **options)
    unclicked = labels[0] == 0
    assert (slopes(terms["counterfactual"], leaves)["counterfactual"].numpy()[unclicked] > 0).all()


def test_weights_sum_to_one_in_each_space() -> None:
    """A loss that is the same for all rows is its own weighted mean."""
    z, (click, _) = drawn()
    even = {**z, "cvr": np.full(SIZE, 0.3), "counterfactual": np.full(SIZE, -0.7)}
    terms, _ = terms_of("dcmt", even, (click, click))
    assert terms["factual"].item() == pytest.approx(np.log1p(np.exp(-0.3)), rel=1e-12)
    assert terms["counterfactual"].item() == pytest.approx(np.log1p(np.exp(0.7)), rel=1e-12)


def test_without_self_normalisation_both_terms_are_over_all_rows() -> None:
    z, (click, conversion) = drawn()
    found = terms_of("dcmt", z, (click, conversion), self_normalise=False)[0]
    pi = np.clip(1 / (1 + np.exp(-z["ctr"])), 0.01, 0.99)
    loss = np.log1p(np.exp(np.where(conversion == 1, -1, 1) * z["cvr"]))
    assert found["factual"].item() == pytest.approx((click * loss / pi).sum() / SIZE, rel=1e-12)
    loss = np.log1p(np.exp(-z["counterfactual"]))
    expected = ((1 - click) * loss / (1 - pi)).sum() / SIZE
    assert found["counterfactual"].item() == pytest.approx(expected, rel=1e-12)


def test_the_constraint_is_met_by_heads_that_sum_to_one_and_attracts_both() -> None:
    z, labels = drawn()
    met = terms_of("dcmt", {**z, "counterfactual": -z["cvr"]}, labels)[0]["constraint"]
    assert met == 0
    terms, leaves = terms_of("dcmt", {**z, "counterfactual": 1 - z["cvr"]}, labels)
    found = slopes(terms["constraint"], leaves)
    assert (found["cvr"] > 0).all()
    assert (found["counterfactual"] > 0).all()
    assert not found["ctr"].any()


def test_the_evi_repository_divides_by_the_batch_once_too_often() -> None:
    """A batch of everything twice has the same loss; there it is half."""
    z, labels = drawn()
    twice = {head: np.tile(a, 2) for head, a in z.items()}
    doubled = tuple(np.tile(a, 2) for a in labels)
    for options, factor in (({}, 1.0), ({"normalise_over_all": True}, 0.5)):
        once, again = (
            terms_of("dcmt", *pair, **options)[0] for pair in ((z, labels), (twice, doubled))
        )
        for term, value in once.items():
            expected = factor if term in ("factual", "counterfactual") else 1.0
            assert (again[term] / value).item() == pytest.approx(expected, rel=1e-12), term


@pytest.mark.parametrize(("weight", "ratio"), [(0.0, 1.0), (1e-3, 0.999), (1.0, 0.560)])
def test_only_a_large_constraint_biases(weight: float, ratio: float) -> None:
    """The counterfactual head of unclicked rows goes to 1, and its partner is asked to go to 0."""
    found = settle("dcmt", HEADS, constraint_weight=weight)
    assert found.slope < 1e-8
    assert found.ratio == pytest.approx(ratio, abs=1e-3)
    assert (found.logits["counterfactual"].sigmoid() > 0.99).all()


def test_the_counterfactual_head_is_not_served() -> None:
    method = make_method("dcmt").eval()
    x = torch.randn(4, method.embedding.width)
    assert set(method.heads(x, serving=True).logits) == {"ctr", "cvr"}
    assert set(method.heads(x, serving=False).logits) == set(HEADS)
