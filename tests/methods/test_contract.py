"""What every method has to keep, with every option: found by discovery, none can escape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from postclick.errors import InputError
from postclick.losses import weighted_sum
from postclick.methods import BATCH_METHODS, METHODS, Labels
from postclick.testing.cases import cases_of
from postclick.testing.check_method import (
    OF_EVERY_CASE,
    OF_THE_DEFAULT,
    OPTIONAL,
    require_comparisons,
)

from .helpers import make_batch, make_method, option_values, with_logits

every_method = pytest.mark.parametrize("name", BATCH_METHODS)


@pytest.mark.parametrize("what", [*OF_EVERY_CASE, *OF_THE_DEFAULT])
@every_method
def test_contract(name: str, what: str) -> None:
    """`check_method` property by property, so that they run side by side."""
    cases = cases_of(METHODS[name])
    if what in OF_EVERY_CASE:
        compared = sum(OF_EVERY_CASE[what](case) for case in cases)
    else:
        compared = OF_THE_DEFAULT[what](cases[0])
    require_comparisons(name, {what: compared})


@pytest.mark.parametrize("what", sorted(OPTIONAL))
def test_optional_properties_compare_something_somewhere(what: str) -> None:
    checks = OF_EVERY_CASE | OF_THE_DEFAULT
    cases = [case for name in ("ddpo", "evi") for case in cases_of(METHODS[name])]
    assert sum(checks[what](case) for case in cases)


@st.composite
def drawn_options(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method with any number of options at any of their values."""
    method = METHODS[draw(st.sampled_from(list(BATCH_METHODS)))]
    options: dict[str, Any] = {}
    for option, info in method.Config.model_fields.items():
        if option != "preset" and draw(st.booleans()):
            found = option_values(option, info.annotation, info.metadata, info.default)
            options[option] = draw(st.sampled_from([info.default, *found]))
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
    assert all(torch.isfinite(term.value) for term in terms.values()), terms
    if not any(term.weight > 0 for term in terms.values()):
        reject()  # nothing to minimise, which `train` refuses
    for gradient in torch.autograd.grad(weighted_sum(terms), leaves, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


def test_labels_count_a_conversion_only_with_a_click() -> None:
    labels = Labels.of(make_batch([1, 1, 0, 0], [1, 0, 1, 0]))
    assert labels.click.tolist() == [1, 1, 0, 0]
    assert labels.conversion.tolist() == [1, 0, 0, 0]
