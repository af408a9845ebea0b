"""Row weights in every loss: the numpy reference on copies of rows, scales, and extremes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.losses import Term, batch_size, mean_entire, row_weights, size, total
from postclick.methods import BATCH_METHODS, METHODS, Labels, Naive, Outputs
from postclick.methods.networks.evi import ActivationPair, vie_loss
from postclick.testing.cases import Case, cases_of
from postclick.testing.weight_properties import weights_repeat_rows
from reference import losses as ref
from reference.finite_difference import finite_difference_terms
from reference.losses import Array

from .helpers import RATES, make_batch, make_method
from .reference_cases import REFERENCE
from .reference_cases import RUNS as MORE
from .reference_cases import VARIANTS as MORE_VARIANTS
from .reference_cases import Run as More
from .test_reference import (
    DIFFERENCES,
    NAMES,
    RUNS,
    VALUE,
    heads_of,
    library,
    random_batch,
)
from .test_reference_more import batch_for

COUNTS = np.array([1, 3, 0, 2, 1, 1, 4, 2, 1, 0, 2, 3, 1, 1, 2, 5, 1, 2])
WORST: dict[str, float] = {}


@pytest.fixture(scope="module", autouse=True)
def _print_deviations() -> Iterator[None]:
    yield
    print("\nlargest relative deviation from the reference on copies of rows")
    for name, found in WORST.items():
        print(f"  {name:12} {found:.1e}")


def on_copies(
    reference: Callable[..., Any], labels: tuple[Array, Array], z: dict[str, Array], **options: Any
) -> Callable[[dict[str, Array]], Any]:
    """The reference, which knows no weights, on as many copies of each row as it counts."""
    rows = np.repeat(np.arange(COUNTS.size), COUNTS)
    frozen = {head: a[rows] for head, a in z.items()}
    fn = partial(reference, click=labels[0][rows], conv=labels[1][rows], frozen=frozen, **options)
    return lambda logits: fn({head: a[rows] for head, a in logits.items()})


def compare(name: str, fn: Any, z: dict[str, Array], found: Any, names: dict[str, str]) -> None:
    expected, numeric = fn(z), finite_difference_terms(fn, z)
    assert {names.get(term, term) for term in expected} == found.keys()
    for term, value in expected.items():
        ours, slopes = found[names.get(term, term)]
        _note(name, ours, value, VALUE, 0.0)
        for head, gradient in numeric[term].items():
            _note(name, slopes[head], gradient, DIFFERENCES, 0.01)


def _note(name: str, found: Any, expected: Any, limit: float, least: float) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    gap = np.abs(found - expected).max() / (np.abs(expected).max(initial=least) or 1.0)
    if limit == VALUE:
        WORST[name] = max(WORST.get(name, 0.0), float(gap))
    assert gap <= limit, f"{name}: {gap:.1e}"


@pytest.mark.parametrize(("name", "options"), RUNS, ids=str)
def test_weighted_terms_equal_the_reference_on_copies(name: str, options: dict[str, Any]) -> None:
    z, labels = random_batch(0, heads_of(name, options))
    fn = on_copies(getattr(ref, name), labels, z, **options)
    with row_weights(torch.from_numpy(COUNTS.astype(np.float64))):
        found = library(name, z, labels, options)
    compare(name, fn, z, found, NAMES)


@pytest.mark.parametrize("run", [*MORE, *MORE_VARIANTS], ids=str)
def test_more_weighted_terms_equal_the_reference_on_copies(run: More) -> None:
    z, labels = batch_for(run, 0)
    fn = on_copies(REFERENCE[run.name], labels, z, **run.reference)
    with row_weights(torch.from_numpy(COUNTS.astype(np.float64))):
        found = library(run.name, z, labels, run.library_options())
    compare(run.name, fn, z, found, {})


def test_every_method_has_been_compared() -> None:
    assert {name for name, _ in RUNS} | {run.name for run in MORE} == set(BATCH_METHODS)


def test_a_weighted_vie_equals_the_reference_on_copies() -> None:
    rng = np.random.default_rng(0)
    teacher, guess, rho = rng.normal(size=(18, 4)), rng.normal(size=(18, 4)), rng.normal(size=4)
    pairs = [ActivationPair(*(torch.from_numpy(a) for a in (teacher, guess, rho)))]
    with row_weights(torch.from_numpy(COUNTS.astype(np.float64))):
        found = vie_loss(pairs, detach_teacher=True, reduction="mean", softplus_is="std")
    copies = [(np.repeat(teacher, COUNTS, 0), np.repeat(guess, COUNTS, 0), rho)]
    expected = ref.evi_vie(copies, reduction="mean", softplus_is="std")
    assert found.item() == pytest.approx(expected, rel=1e-12)


# Terms that grow with the batch, or shrink as one over its size, by their papers' formulas.
OF_THE_SIZE = {
    ("aitm", "constraint"),
    ("snips", "cvr"),
    ("ddpo", "cvr_clicked"),
    ("ddpo", "cvr_unclicked"),
    ("dcmt", "factual"),
    ("dcmt", "counterfactual"),
    ("mrdr_gpl", "bias"),
    ("mrdr_gpl", "variance"),
}


@pytest.mark.parametrize("name", METHODS)
def test_the_scale_of_weights_cancels_down_to_tiny_sums(name: str) -> None:
    """Clicked rows may weigh a hundredth of the rest: no subset is taken for one row."""
    weight = torch.from_numpy(COUNTS * 1.37)
    compared = 0
    for case in cases_of(METHODS[name])[:3]:
        config = case.method.Config.parse(name, case.options)
        if case.method.extras(config):
            continue
        heads = case.method.all_heads(config, RATES)
        z, (click, conversion) = random_batch(1, tuple(heads))
        logits = {head: torch.from_numpy(a) for head, a in z.items()}
        labels = Labels(torch.from_numpy(click), torch.from_numpy(conversion))
        terms = []
        for scale in (1.0, 1e-6):
            with row_weights(scale * weight):
                terms.append(case.method.terms(config, Outputs(dict(logits)), labels))
        for term, first in terms[0].items():
            if (name, term) not in OF_THE_SIZE:
                torch.testing.assert_close(terms[1][term].value, first.value, rtol=1e-9, atol=0)
                compared += 1
    assert compared or name == "evi"


@pytest.mark.parametrize("name", METHODS)
def test_rows_that_all_count_for_nothing_give_a_loss_of_0_that_lives(name: str) -> None:
    for case in cases_of(METHODS[name])[:6]:
        method = case.make()
        batch = make_batch([1, 0, 1], [1, 0, 0])
        batch = type(batch)(**{**vars(batch), "weight": torch.zeros(3)})
        for phase in method.schedule(2):
            for step in phase.steps:
                for term, (value, _, _) in method.loss(batch, step)[1].items():
                    assert torch.isfinite(value), f"{case}: {term} is {value}"


def test_equal_weights_of_one_change_no_bit() -> None:
    click, conversion = [1, 0, 1, 0, 1], [1, 0, 0, 0, 0]
    for name in METHODS:
        method = make_method(name).eval()
        batch = make_batch(click, conversion)
        weighed = type(batch)(**{**vars(batch), "weight": torch.ones(5)})
        terms, ones = method.loss(batch)[1], method.loss(weighed)[1]
        for term, (value, _, _) in terms.items():
            assert torch.equal(ones[term].value, value), f"{name}: {term}"


class Unaware(Naive):
    """A loss that takes a mean of its own."""

    name = "unaware"

    @staticmethod
    def terms(config: Any, outputs: Outputs, labels: Labels) -> Any:
        found = Naive.terms(config, outputs, labels)
        value = (outputs.logits["cvr"] - labels.click).square().mean()
        return {**found, "cvr": Term(value, 1.0, "entire")}


def test_a_method_with_a_mean_of_its_own_is_found() -> None:
    with pytest.raises(AssertionError, match=r"sum over rows by postclick\.losses\.total"):
        weights_repeat_rows(Case(Unaware, "default"))


def test_loss_on_takes_weights() -> None:
    z, click = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([1.0, 0.0, 1.0])
    weight = torch.tensor([2.0, 3.0, 1.0])
    copies = torch.repeat_interleave(torch.arange(3), weight.long())
    for method in (METHODS["esmm"], METHODS["escm2_ipw"]):
        found = method.loss_on({"ctr": z, "cvr": -z}, click, click, weight=weight)
        expected = method.loss_on(
            {"ctr": z[copies], "cvr": -z[copies]}, click[copies], click[copies]
        )
        for term, (value, _, _) in expected.items():
            torch.testing.assert_close(found[term].value, value)


def test_sizes_to_divide_by() -> None:
    ones = torch.ones(3)
    assert (size(ones).item(), size(0 * ones).item(), batch_size(ones)) == (3.0, 1.0, 3)
    with row_weights(torch.tensor([0.25, 0.0, 0.25])):
        assert float(total(ones)) == 0.5
        assert (float(size(ones)), float(batch_size(ones))) == (0.5, 0.5)
        assert float(mean_entire(torch.tensor([1.0, 9.0, 2.0]))) == 1.5
    assert float(_mean_of_nothing()) == 0.0


def _mean_of_nothing() -> Tensor:
    with row_weights(torch.zeros(2)):
        return mean_entire(torch.ones(2))
