"""What every method has to keep, with every option: found by discovery, none can escape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from postclick.errors import InputError
from postclick.methods import METHODS, Labels, Method, find_method
from postclick.methods.base import Terms

from .helpers import (
    BACKBONES,
    CASES,
    PATTERNS,
    Case,
    dense,
    extreme_rows,
    make_batch,
    make_method,
    option_values,
    steps_of,
    total_loss,
    with_logits,
)

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_backbone = pytest.mark.parametrize("backbone", BACKBONES)
every_method = pytest.mark.parametrize("name", METHODS)
# Layouts that the tiny default network does not have.
NETWORKS: dict[str, dict[str, Any]] = {
    "shared bottom": {"bottom": (5,), "backbone": "share_bottom"},
    "batch norm, dropout": {"batch_norm": True, "dropout": 0.3, "expert_dropout": 0.3},
    "numbers as a field": {"numeric": "project", "tower": (4, 3, 2)},
}


def assert_finite(method: Method[Any], terms: Terms, pattern: str) -> None:
    """Terms and the gradients of their weighted sum are finite, and there is a graph."""
    for name, term in terms.items():
        assert term.shape == (), (pattern, name)
        assert torch.isfinite(term), (pattern, name)
    total = total_loss(method, terms)
    assert total.requires_grad, pattern
    method.zero_grad()
    total.backward()
    for name, parameter in method.named_parameters():
        if parameter.grad is not None:
            assert torch.isfinite(dense(parameter.grad)).all(), (pattern, name)


@every_backbone
@every_case
def test_loss_and_gradients_are_finite(case: Case, backbone: str) -> None:
    """No click, all clicks, no conversion, all conversions, one row, no row."""
    method = case.make(backbone)
    for pattern, labels in PATTERNS.items():
        batch = make_batch(*labels)
        for step in steps_of(method):
            outputs, terms = method.loss(batch, step)
            assert all(z.shape == (len(batch),) for z in outputs.logits.values())
            assert_finite(method, terms, pattern)


@pytest.mark.parametrize("network", NETWORKS)
@every_method
def test_other_networks_are_finite_too(name: str, network: str) -> None:
    method = make_method(name, **NETWORKS[network])
    for pattern, labels in PATTERNS.items():
        for step in steps_of(method):
            _, terms = method.loss(make_batch(*labels), step)
            assert_finite(method, terms, pattern)


@every_case
def test_extreme_logits_stay_finite(case: Case) -> None:
    """Every combination of logits +-30 and +-100 over the heads, with every label."""
    method = case.make()
    heads = len(method(make_batch([1], [0])).logits)
    columns, labels = extreme_rows(heads, (30.0, 100.0))
    batch = make_batch(labels.click.int().tolist(), labels.conversion.int().tolist())
    outputs, leaves = with_logits(method(batch), columns)
    terms = method.terms(method.config, outputs, labels)
    assert all(torch.isfinite(term) for term in terms.values()), terms
    for gradient in torch.autograd.grad(total_loss(method, terms), leaves, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


@st.composite
def drawn_options(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method with any number of options at any of their values."""
    method = METHODS[draw(st.sampled_from(list(METHODS)))]
    options: dict[str, Any] = {}
    for option, info in method.Config.model_fields.items():
        if option != "preset" and draw(st.booleans()):
            values = option_values(option, info.annotation, info.metadata, info.default)
            options[option] = draw(st.sampled_from([info.default, *values]))
    return method.name, options


@given(drawn=drawn_options(), data=st.data())
@settings(deadline=None, max_examples=200)
def test_no_logits_labels_and_options_give_nan(
    drawn: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    try:
        method = make_method(*drawn)
    except InputError:
        reject()  # options that exclude each other
    bits = st.integers(0, 1)
    click, conversion = data.draw(
        st.lists(st.tuples(bits, bits), max_size=6).map(
            lambda rows: ([c for c, _ in rows], [v for _, v in rows])
        )
    )
    batch = make_batch(click, conversion)
    plain = method(batch)
    column = st.lists(st.floats(-100, 100, width=32), min_size=len(click), max_size=len(click))
    outputs, leaves = with_logits(plain, [data.draw(column) for _ in plain.logits])
    terms = method.terms(method.config, outputs, Labels.of(batch))
    assert all(torch.isfinite(term) for term in terms.values()), terms
    for gradient in torch.autograd.grad(total_loss(method, terms), leaves, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


def test_labels_count_a_conversion_only_with_a_click() -> None:
    labels = Labels.of(make_batch([1, 1, 0, 0], [1, 0, 1, 0]))
    assert labels.click.tolist() == [1, 1, 0, 0]
    assert labels.conversion.tolist() == [1, 0, 0, 0]


@every_case
def test_recorded_conversions_of_unclicked_rows_do_not_count(case: Case) -> None:
    method = case.make().eval()
    click, conversion = PATTERNS["mixed"]
    everywhere = [v or 1 - c for c, v in zip(click, conversion, strict=True)]
    assert everywhere != conversion
    for step in steps_of(method):
        _, terms = method.loss(make_batch(click, conversion), step)
        _, noisy = method.loss(make_batch(click, everywhere), step)
        for name, term in terms.items():
            assert torch.equal(noisy[name], term), name


@every_case
def test_the_same_seed_gives_the_same_loss(case: Case) -> None:
    batch = make_batch(*PATTERNS["mixed"])

    def losses(seed: int) -> list[Tensor]:
        method = case.make(seed=seed, dropout=0.3, expert_dropout=0.3)
        return [total_loss(method, method.loss(batch, step)[1]) for step in steps_of(method)]

    assert all(torch.equal(a, b) for a, b in zip(losses(1), losses(1), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(losses(1), losses(2), strict=True))


@every_case
def test_a_saved_and_loaded_model_predicts_the_same(case: Case) -> None:
    batch = make_batch(*PATTERNS["mixed"])
    method, other = case.make(seed=1).eval(), case.make(seed=2).eval()
    before = other.predict(batch)
    other.load_state_dict(load(save(method.state_dict())))
    expected, found = method.predict(batch), other.predict(batch)
    assert not torch.equal(before.cvr, expected.cvr)
    for a, b in zip(expected, found, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


@every_backbone
@every_case
def test_predictions_are_probabilities_and_ctcvr_is_below_ctr(case: Case, backbone: str) -> None:
    method = case.make(backbone).eval()
    with torch.no_grad():
        batch = make_batch([0] * 50, [0] * 50)
        prediction = method.predict(batch)
        outputs = method(batch)
    ctr, cvr = prediction.ctr.double().sigmoid(), prediction.cvr.double().sigmoid()
    log_ctcvr = prediction.log_ctcvr
    ctcvr = ctr * cvr if log_ctcvr is None else log_ctcvr.double().exp()
    for values in (ctr, cvr, ctcvr):
        assert values.shape == (50,)
        assert ((values > 0) & (values < 1)).all()
    assert (ctcvr <= ctr).all()
    assert ctr.std() > 0
    # Serving runs fewer heads, and those say what they say in training.
    torch.testing.assert_close(prediction.ctr, outputs.logits["ctr"])


@every_case
def test_weights_name_exactly_the_terms(case: Case) -> None:
    method = case.make()
    batch = make_batch(*PATTERNS["mixed"])
    weights = method.weights()
    assert method.terms(method.config, method(batch), Labels.of(batch)).keys() == weights.keys()
    assert all(math.isfinite(w) and w >= 0 for w in weights.values())
    used: set[str] = set()
    for step in steps_of(method):
        used |= method.loss(batch, step)[1].keys()
    assert used == {name for name, weight in weights.items() if weight > 0}


def fingerprint(method: Method[Any]) -> list[Tensor]:
    """Everything by which two methods can differ: heads, values, gradients, the schedule."""
    batch = make_batch(*PATTERNS["mixed"])
    _, terms = method.loss(batch)
    total = total_loss(method, terms)
    named = dict(method.named_parameters())
    wanted = {name: p for name, p in named.items() if p.requires_grad}
    gradients = torch.autograd.grad(total, list(wanted.values()), allow_unused=True)
    parts = [total.detach(), torch.tensor([len(named), len(wanted)])]
    parts += [torch.zeros(1) if g is None else dense(g).flatten() for g in gradients]
    outputs = method(batch)
    rng = np.random.default_rng(0)
    # Moderate logits, and some that clips and caps reach.
    for size in (12, 12, 40):
        columns = [rng.uniform(-size, size, len(batch)).tolist() for _ in outputs.logits]
        replaced, leaves = with_logits(outputs, columns)
        total = total_loss(method, method.terms(method.config, replaced, Labels.of(batch)))
        slopes = torch.autograd.grad(total, leaves, allow_unused=True)
        parts += [total.detach(), *(torch.zeros(1) if g is None else g for g in slopes)]
    parts.append(torch.tensor(list(repr(method.schedule(10)).encode())))
    return parts


SINGLE = [case for case in CASES if "=" in case.label]


@pytest.mark.parametrize("case", SINGLE, ids=str)
def test_no_option_is_without_effect(case: Case) -> None:
    """An option that is stored and never read changes neither losses nor gradients."""
    with_it = fingerprint(case.make())
    without = fingerprint(make_method(case.method, case.base))
    same_shapes = [a.shape for a in with_it] == [b.shape for b in without]
    assert not same_shapes or any(
        not torch.equal(a, b) for a, b in zip(with_it, without, strict=True)
    )


DROPPED = {
    "naive/no_ctr": {"ctr"},
    "choruscvr/no_ndm": {"ctuncvr"},
    "choruscvr/no_sam": {
        f"align_{h}_{s}" for h in ("cvr", "uncvr") for s in ("clicked", "unclicked")
    },
    "ukd/no_adversary": {"adversarial"},
    "ddpo/no_convn": {"conversion", "cvr_unclicked"},
    "ddpo/no_ctm": set(),
    "ddpo/no_dsl": set(),
    "nise/no_ctr": {"ctr"},
    "nise/no_unclicked": set(),
    "evi/no_vie": {"vie"},
    "evi/no_vie_cect": {"vie"},
    "evi/no_teacher": {"vie", "teacher"},
}
ABLATIONS = [f"{m.name}/{v}" for m in METHODS.values() for v in m.variants if v.startswith("no_")]


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_drop_their_terms(name: str) -> None:
    """Every variant called no_* is listed here with what it drops, or this fails."""
    method, options = find_method(name)
    batch = make_batch(*PATTERNS["mixed"])
    full, ablated = (make_method(method.name, o).loss(batch)[1].keys() for o in ({}, options))
    assert full - ablated == DROPPED[name]
    assert not ablated - full


@every_method
def test_every_parameter_of_the_default_is_trained(name: str) -> None:
    method = make_method(name)
    batch = make_batch(*PATTERNS["mixed"])
    for step in steps_of(method):
        total_loss(method, method.loss(batch, step)[1]).backward()
    assert [n for n, p in method.named_parameters() if p.grad is None] == []
