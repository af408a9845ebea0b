"""Every loss term against an independent numpy implementation, with all options it knows.

Values, gradients by hand and finite differences, on random float64 logits and labels. The
largest deviation of each method is printed at the end (seen with ``-s``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from postclick.methods import METHODS, Labels, Outputs
from postclick.methods.networks.evi import ActivationPair, vie_loss
from reference import gradients as hand
from reference import losses as ref
from reference.finite_difference import finite_difference_gradient, finite_difference_terms
from reference.losses import Array
from reference.population import random_batch

VALUE, BY_HAND, DIFFERENCES = 1e-10, 1e-8, 1e-6
HEADS = {
    "naive": ("ctr", "cvr"),
    "esmm": ("ctr", "cvr"),
    "escm2_ipw": ("ctr", "cvr"),
    "choruscvr": ("ctr", "cvr", "uncvr"),
    "evi": ("ctr", "cvr", "teacher"),
}
# The reference's names of terms where the library's differ.
NAMES = {"cvr_ipw": "cvr", "uncvr_ipw": "uncvr"}
WIDE, NARROW = (0.001, 0.999), (0.25, 0.7)  # the second clips some rows and some not
NORMS = ("clicked", "entire", "self")
BOTH = (True, False)

Deviations = dict[str, dict[str, float]]
DEVIATIONS: Deviations = {}


def grid(**options: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(options, values, strict=True)) for values in product(*options.values())]


GRIDS: dict[str, list[dict[str, Any]]] = {
    "naive": [
        *grid(reduction=("mean_clicked", "mean_entire"), rank_weight=(0.0, 0.5)),
        *grid(rank_weight=(0.0, 0.5), list_weight=(0.7,)),
    ],
    "esmm": [{}],
    "escm2_ipw": grid(ipw_norm=(*NORMS, "released"), clip=(WIDE, NARROW), detach_propensity=BOTH),
    "choruscvr": grid(
        ipw_norm=NORMS,
        clip=(WIDE, NARROW),
        detach_propensity=BOTH,
        ipw_cvr=BOTH,
        ipw_uncvr=BOTH,
        tie_uncvr=BOTH,
    ),
    "evi": grid(
        teacher_space=("entire", "click"),
        half=BOTH,
        unclicked_weight=(0.0, 0.5, 1.0),
        clip=(WIDE, NARROW),
        detach_propensity=BOTH,
    ),
}
RUNS = [(name, options) for name, all_options in GRIDS.items() for options in all_options]


@pytest.fixture(scope="module", autouse=True)
def _print_deviations() -> Iterator[None]:
    yield
    print("\nlargest relative deviation from the reference")
    for name, found in DEVIATIONS.items():
        print(f"  {name:10}", ", ".join(f"{kind} {value:.1e}" for kind, value in found.items()))


def note(name: str, kind: str, found: Any, expected: Any, limit: float) -> None:
    """Deviation relative to the largest entry (at least .01 for gradients), kept and judged."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    assert found.shape == expected.shape
    size = np.abs(expected).max(initial=0.0 if kind == "value" else 0.01)
    deviation = np.abs(found - expected).max(initial=0.0) / (size or 1.0)
    of_method = DEVIATIONS.setdefault(name, {})
    of_method[kind] = max(of_method.get(kind, 0.0), float(deviation))
    assert deviation <= limit, f"{name}, {kind}: {deviation:.1e} > {limit:g}"


def library(
    name: str, z: Mapping[str, Array], labels: tuple[Array, Array], options: dict[str, Any]
) -> dict[str, tuple[float, dict[str, Array]]]:
    """Each term's value and its gradient for each head's logits."""
    method = METHODS[name]
    config = method.Config.parse(name, options)
    leaves = {head: torch.from_numpy(a.copy()).requires_grad_() for head, a in z.items()}
    click, conversion = (torch.from_numpy(a) for a in labels)
    terms = method.terms(config, Outputs(dict(leaves)), Labels(click, click * conversion))
    result = {}
    for term, (value, _, _) in terms.items():
        assert value.dtype == torch.float64
        gradients = torch.autograd.grad(
            value, list(leaves.values()), retain_graph=True, allow_unused=True
        )
        slopes = {
            head: np.zeros(len(a)) if g is None else g.numpy()
            for (head, a), g in zip(z.items(), gradients, strict=True)
        }
        result[term] = (value.item(), slopes)
    return result


def heads_of(name: str, options: dict[str, Any]) -> tuple[str, ...]:
    heads = HEADS[name]
    return heads[:2] if options.get("tie_uncvr") else heads


@pytest.mark.parametrize(("name", "options"), RUNS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_terms_equal_the_reference(seed: int, name: str, options: dict[str, Any]) -> None:
    z, labels = random_batch(seed, heads_of(name, options))
    fn = partial(getattr(ref, name), click=labels[0], conv=labels[1], frozen=z, **options)
    expected = fn(z)
    numeric = finite_difference_terms(fn, z)
    found = library(name, z, labels, options)
    assert {NAMES.get(term, term) for term in expected} == found.keys()
    for term, value in expected.items():
        ours, slopes = found[NAMES.get(term, term)]
        note(name, "value", ours, value, VALUE)
        for head, gradient in numeric[term].items():
            note(name, "finite differences", slopes[head], gradient, DIFFERENCES)
    if options.get("ipw_norm") == "released":
        return  # the reference has no gradient by hand for it
    by_hand = getattr(hand, f"{name}_gradients")(z, *labels, **options)
    for term, heads in by_hand.items():
        for head, gradient in heads.items():
            note(name, "by hand", found[NAMES.get(term, term)][1][head], gradient, BY_HAND)


@pytest.mark.parametrize("labels", [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], ids=str)
@pytest.mark.parametrize("n", [0, 1, 6])
@pytest.mark.parametrize(("name", "options"), RUNS[::5], ids=str)
def test_one_sided_batches_equal_the_reference(
    name: str, options: dict[str, Any], n: int, labels: tuple[float, float]
) -> None:
    z, _ = random_batch(3, heads_of(name, options), n)
    click, conversion = (np.full(n, label) for label in labels)
    expected = getattr(ref, name)(z, click, conversion, **options)
    found = library(name, z, (click, conversion), options)
    for term, value in expected.items():
        note(name, "value", found[NAMES.get(term, term)][0], value, VALUE)


@pytest.mark.parametrize("name", ["esmm", "escm2_ipw", "choruscvr", "evi"])
def test_detach_ctr_in_ctcvr_stops_the_ctr_gradient_of_products_alone(name: str) -> None:
    z, labels = random_batch(4, HEADS[name])
    plain = library(name, z, labels, {})
    detached = library(name, z, labels, {"detach_ctr_in_ctcvr": True})
    for term, (value, slopes) in plain.items():
        assert detached[term][0] == value
        for head, gradient in slopes.items():
            stopped = head == "ctr" and term in ("ctcvr", "ctuncvr")
            assert not stopped or np.all(gradient != 0)
            expected = np.zeros_like(gradient) if stopped else gradient
            np.testing.assert_array_equal(detached[term][1][head], expected)


@pytest.mark.parametrize("detach", BOTH)
@pytest.mark.parametrize("softplus_is", ["variance", "std"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("widths", [(4,), (6, 4, 3)])
def test_vie_equals_the_reference(
    widths: tuple[int, ...], reduction: str, softplus_is: str, detach: bool
) -> None:
    rng = np.random.default_rng(len(widths))
    arrays = {
        f"{kind}{k}": rng.normal(size=width if kind == "rho" else (9, width))
        for k, width in enumerate(widths)
        for kind in ("teacher", "guess", "rho")
    }

    def reference(a: dict[str, Array]) -> float:
        pairs = [(a[f"teacher{k}"], a[f"guess{k}"], a[f"rho{k}"]) for k in range(len(widths))]
        return ref.evi_vie(pairs, reduction=reduction, softplus_is=softplus_is)

    leaves = {key: torch.from_numpy(a.copy()).requires_grad_() for key, a in arrays.items()}
    pairs = [
        ActivationPair(leaves[f"teacher{k}"], leaves[f"guess{k}"], leaves[f"rho{k}"])
        for k in range(len(widths))
    ]
    loss = vie_loss(pairs, detach_teacher=detach, reduction=reduction, softplus_is=softplus_is)
    note("evi vie", "value", loss.item(), reference(arrays), VALUE)
    gradients: dict[str, Tensor | None] = dict(
        zip(
            leaves,
            torch.autograd.grad(loss, list(leaves.values()), allow_unused=True),
            strict=True,
        )
    )
    for key, numeric in finite_difference_gradient(reference, arrays).items():
        gradient = gradients[key]
        if detach and key.startswith("teacher"):
            assert gradient is None or not gradient.any()
            assert np.abs(numeric).max() > 1e-3
        else:
            assert gradient is not None
            note("evi vie", "finite differences", gradient.numpy(), numeric, DIFFERENCES)
