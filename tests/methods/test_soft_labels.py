"""What methods say of the labels that unclicked impressions are given."""

import pytest
import torch

from postclick.methods import METHODS

from .helpers import CASES, PATTERNS, Case, make_batch, make_method


@pytest.mark.parametrize("case", CASES, ids=str)
def test_soft_labels_are_one_logit_per_row(case: Case) -> None:
    """Methods that label unclicked impressions say with what; the others say nothing."""
    method = case.make().eval()
    click, conversion = PATTERNS["mixed"]
    batch = make_batch(click, conversion)
    label = method.soft_label(method.config, method(batch))
    assert label is None or (label.shape == (len(batch),) and bool(torch.isfinite(label).all()))


def test_who_makes_soft_labels() -> None:
    batch = make_batch([1, 0, 0], [1, 0, 0])
    made = {
        name
        for name in METHODS
        for method in [make_method(name).eval()]
        if method.soft_label(method.config, method(batch)) is not None
    }
    assert made == {"ukd", "ddpo", "nise", "evi", "choruscvr"}
