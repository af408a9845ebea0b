"""Every method with a list that is pooled by attention."""

from dataclasses import replace

import pytest
import torch

from postclick.losses import weighted_sum
from postclick.methods import BATCH_METHODS

from .helpers import (
    BACKBONES,
    FIELDS,
    INPUTS,
    PATTERNS,
    dense,
    make_batch,
    make_method,
    steps_of,
)

ATTENDED = replace(INPUTS, bag_targets=(len(FIELDS) - 1,))


@pytest.mark.parametrize("pattern", ["mixed", "no_click", "no_row"])
@pytest.mark.parametrize("name", BATCH_METHODS)
def test_its_steps_train_the_attention(name: str, pattern: str) -> None:
    method = make_method(name, inputs=ATTENDED)
    batch = make_batch(*PATTERNS[pattern])
    reached: set[str] = set()
    scores = {n for n, _ in method.named_parameters() if "attention" in n and "transfer" not in n}
    assert scores
    for step in steps_of(method):
        method.zero_grad()
        weighted_sum(method.loss(batch, step)[1]).backward()
        for parameter_name, parameter in method.named_parameters():
            if parameter.grad is None:
                continue
            gradient = dense(parameter.grad)
            assert gradient.isfinite().all()
            if parameter_name in scores and (gradient != 0).any():
                reached.add(parameter_name)
    if pattern == "mixed":
        trained = {n for n in scores if method.get_parameter(n).requires_grad}
        assert reached == trained


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_target_decides_what_a_list_is_worth(backbone: str) -> None:
    method = make_method("esmm", backbone=backbone, inputs=ATTENDED, embedding_std=1.0).eval()
    batch = make_batch(*PATTERNS["mixed"])
    with torch.no_grad():
        method.embedding.attention["0"].layers[-1].get_parameter("bias").zero_()
        method.embedding.attention["0"].layers[-1].get_parameter("weight").zero_()
        before = method.predict(batch)
        bag = batch.bags[0]
        emptied = bag._replace(weights=torch.zeros_like(bag.weights))
        without = method.predict(replace(batch, bags=(emptied,)))
    assert torch.equal(before.ctr, without.ctr), "scores of 0 are lists of nothing"
