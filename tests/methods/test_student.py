"""A student's loss is numpy's cross-entropy to its teacher, and no label has a say in it."""

from typing import Any

import numpy as np
import pytest
import torch

from methods.helpers import INPUTS, PATTERNS, TINY, make_batch, make_method
from postclick.data.batch import Batch
from postclick.losses import weighted_sum
from postclick.methods import Method
from postclick.methods.student import Student
from postclick.testing import make_method as make

BATCH = make_batch(*PATTERNS["mixed"])


def student(**options: float) -> tuple[Student, Method[Any]]:
    teacher = make_method("esmm", seed=1)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    made = make(Student, options, **TINY)
    assert isinstance(made, Student)
    made.learn_from(teacher)
    return made, teacher


def with_(batch: Batch, **changes: torch.Tensor | None) -> Batch:
    return Batch(**{**vars(batch), **changes})


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_cross_entropy_to_the_teacher(weighted: bool) -> None:
    made, teacher = student(cvr_weight=2.0)
    weight = torch.tensor([1.0, 3, 0, 2, 1, 1, 4, 1]) if weighted else None
    batch = with_(BATCH, weight=weight)
    _, terms = made.loss(batch)
    soft, own = teacher.predict_sampled(batch), made.predict_sampled(batch)
    for head, scale in (("ctr", 1.0), ("cvr", 2.0)):
        z, t = (getattr(of, head).detach().double().numpy() for of in (own, soft))
        p, y = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-t))
        loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        expected = np.average(loss, weights=None if weight is None else weight.numpy())
        assert terms[head].value.item() == pytest.approx(expected, rel=1e-5)
        assert (terms[head].weight, terms[head].space) == (scale, "entire")


def test_no_click_and_no_conversion_has_a_say() -> None:
    made, _ = student()
    other = with_(BATCH, click=1 - BATCH.click, conversion=1 - BATCH.conversion)
    losses = [weighted_sum(made.loss(batch)[1]).item() for batch in (BATCH, other)]
    assert losses[0] == losses[1] > 0


def test_the_teacher_is_no_part_of_the_student() -> None:
    made, teacher = student()
    plain = make_method("naive")
    assert made.state_dict().keys() == plain.state_dict().keys()
    assert all(
        torch.equal(a, b) for a, b in zip(made.parameters(), plain.parameters(), strict=True)
    )
    weighted_sum(made.loss(BATCH)[1]).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in teacher.parameters())
    assert all(p.grad is not None for p in made.parameters())
    empty = weighted_sum(made.loss(INPUTS.empty_batch())[1])
    assert empty.item() == 0
