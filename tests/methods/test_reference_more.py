"""The methods of METHODS.md sections 3 to 12 against the independent numpy implementation.

As in `test_reference`: values and finite differences of every term, with all options that change
one. Published variants are compared with the reference's own reading of the formula, whatever
options the library builds them from. Also the default weights of the terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from postclick.methods import METHODS, Labels, Outputs
from reference.finite_difference import finite_difference_terms
from reference.losses import Array, sigmoid
from reference.population import Labels as LabelArrays
from reference.population import random_batch

from .helpers import make_method, weights_of
from .reference_cases import ELSEWHERE, EXTRAS, GRIDS, REFERENCE, RUNS, VARIANTS, Run
from .test_reference import DIFFERENCES, VALUE, library

DEVIATIONS: dict[str, dict[str, float]] = {}

WEIGHTS: dict[str, dict[str, float]] = {
    "mmoe": {"ctr": 1, "cvr": 1},
    "anchor": {"ctr": 1, "cvr": 1},
    "selection_at": {"ctr": 1, "cvr": 1},
    "aitm": {"ctr": 1, "ctcvr": 1, "constraint": 0.6},
    "aitm/cvr_head": {"ctr": 1, "cvr": 1, "constraint": 0},
    "aitm/evi_repo": {"ctr": 1, "cvr": 1, "constraint": 0.6},
    "ctnocvr": {"ctr": 1, "ctcvr": 1, "ctnocvr": 1},
    **{
        name: {"ctr": 1, "cvr": 1} for name in ("multi_ipw", "snips", "clipped_ips", "tempered_ips")
    },
    **{
        name: {"ctr": 1, "cvr": 1, "imputation": 1}
        for name in ("multi_dr", "dros", "dr_jl", "mrdr", "dr_bias", "dr_mse")
    },
    "escm2_dr": {"ctr": 1, "cvr": 0.1, "imputation": 0.1, "ctcvr": 1},
    "escm2_dr/evi_repo": {"ctr": 1, "cvr": 1, "imputation": 1, "ctcvr": 1},
    "stable_dr": {"ctr": 1, "constraint": 1, "cvr": 1, "imputation": 1},
    "stable_dr/no_constraint": {"ctr": 1, "constraint": 0, "cvr": 1, "imputation": 1},
    "dt_dr": {"ctr": 1, "cvr": 1, "imputation": 1, "orthogonality": 0.1},
    "dt_dr/released": {"ctr": 0.5, "cvr": 1, "imputation": 1, "orthogonality": 0.1},
    "mrdr_gpl": {
        "ctr": 1,
        "propensity": 1,
        "bias": 0.49,
        "variance": 0.21,
        "cvr": 1,
        "imputation": 1,
    },
    "mrdr_gpl/evi_repo": {
        "ctr": 1,
        "propensity": 1,
        "bias": 0.5,
        "variance": 0.5,
        "cvr": 1,
        "imputation": 1,
    },
    "ips_v2": {"ctr": 1, "ctcvr": 1, "cvr": 1, "balance": 0.1},
    "dr_v2": {"ctr": 1, "ctcvr": 1, "cvr": 1, "imputation": 1, "balance": 0.1},
    "dr_v2/evi_repo": {"ctr": 1, "ctcvr": 0, "cvr": 1, "imputation": 1, "balance": 0.5},
    "dcmt": {"ctr": 1, "ctcvr": 1, "factual": 1, "counterfactual": 1, "constraint": 1e-3},
    "ukd": {
        "teacher": 1,
        "adversarial": 0.5,
        "ctr": 0.2,
        "cvr_first": 1,
        "cvr_second": 1,
        "agreement_12": 1,
        "agreement_21": 1,
    },
    "ukd/evi_repo": {
        "teacher": 1,
        "adversarial": 0.5,
        "ctr": 0.2,
        "cvr_first": 0.2,
        "cvr_second": 0.2,
        "agreement_12": 1,
        "agreement_21": 1,
    },
    "ddpo": {"ctr": 1, "conversion": 1, "ctcvr": 1, "cvr_clicked": 1, "cvr_unclicked": 1},
    "nise": {"ctr": 1, "cvr": 1},
}


@pytest.fixture(scope="module", autouse=True)
def _print_deviations() -> Iterator[None]:
    yield
    print("\nlargest relative deviation from the reference")
    for name in REFERENCE:
        found = DEVIATIONS.get(name, {})
        print(f"  {name:12}", ", ".join(f"{kind} {value:.1e}" for kind, value in found.items()))


def deviation(run: Run, kind: str, found: Any, expected: Any) -> float:
    """Relative to the largest entry (at least .01 for gradients), kept for the printout."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    size = np.abs(expected).max(initial=0.0 if kind == "value" else 0.01)
    value = float(np.abs(found - expected).max(initial=0.0) / (size or 1.0))
    of_method = DEVIATIONS.setdefault(run.name, {})
    of_method[kind] = max(of_method.get(kind, 0.0), value)
    return value


def batch_for(run: Run, seed: int, n: int = 18) -> tuple[dict[str, Array], LabelArrays]:
    """A random batch; the two heads of UKD nearly agree, or no uncertainty weight is above 0."""
    z, labels = random_batch(seed, run.heads(), n)
    if run.name == "ukd":
        noise = np.random.default_rng(seed + 100).normal(0.0, 0.3, n)
        z["cvr_second"] = z["cvr"] + noise
    return z, labels


@pytest.mark.parametrize("name", REFERENCE)
def test_every_option_and_variant_is_compared(name: str) -> None:
    method = METHODS[name]
    runs = [run for run in (*VARIANTS, *EXTRAS) if run.name == name]
    options = {key for found in GRIDS[name] for key in found}
    options |= {key for run in runs for key in run.library_options()}
    weights = {key for key in method.Config.model_fields if key.endswith("_weight")}
    covered = options | ELSEWHERE | weights | {"detach_ctr_in_ctcvr"}
    assert set(method.Config.model_fields) <= covered
    compared = {run.variant for run in runs} | {run.options.get("pseudo") for run in runs}
    assert set(method.variants) <= compared
    assert not method.Config.presets


@pytest.mark.parametrize("name", REFERENCE)
def test_detach_ctr_in_ctcvr_stops_the_ctr_gradient_of_products_alone(name: str) -> None:
    if "detach_ctr_in_ctcvr" not in METHODS[name].Config.model_fields:
        assert "ctcvr" not in WEIGHTS[name] or name == "aitm"  # AITM's is not a product
        return
    z, labels = batch_for(Run(name), 4)
    plain = library(name, z, labels, {})
    detached = library(name, z, labels, {"detach_ctr_in_ctcvr": True})
    for term, (value, slopes) in plain.items():
        assert detached[term][0] == value
        for head, gradient in slopes.items():
            stopped = head == "ctr" and term in ("ctcvr", "ctnocvr")
            assert not stopped or np.all(gradient != 0)
            expected = np.zeros_like(gradient) if stopped else gradient
            np.testing.assert_array_equal(detached[term][1][head], expected)


# A second seed for the defaults and the variants only.
SEEDED = [(0, run) for run in RUNS] + [(1, r) for r in RUNS if not r.options]


@pytest.mark.parametrize(("seed", "run"), SEEDED, ids=str)
def test_terms_equal_the_reference(seed: int, run: Run) -> None:
    z, labels = batch_for(run, seed)
    fn = partial(REFERENCE[run.name], click=labels[0], conv=labels[1], frozen=z, **run.reference)
    expected, numeric = fn(z), finite_difference_terms(fn, z)
    found = library(run.name, z, labels, run.library_options())
    assert expected.keys() == found.keys()
    wrong: dict[str, float] = {}
    for term, value in expected.items():
        ours, slopes = found[term]
        gaps = {term: deviation(run, "value", ours, value) / VALUE}
        for head, gradient in numeric[term].items():
            gap = deviation(run, "finite differences", slopes[head], gradient)
            gaps[f"d {term} / d {head}"] = gap / DIFFERENCES
        wrong |= {what: gap for what, gap in gaps.items() if not gap <= 1.0}
    assert not wrong, f"{run}: deviation over tolerance {wrong}"


@pytest.mark.parametrize("labels", [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], ids=str)
@pytest.mark.parametrize("n", [0, 1, 6])
@pytest.mark.parametrize("run", [*(Run(name) for name in REFERENCE), *VARIANTS], ids=str)
def test_one_sided_batches_equal_the_reference(
    run: Run, n: int, labels: tuple[float, float]
) -> None:
    z, _ = batch_for(run, 3, n)
    click, conversion = (np.full(n, label) for label in labels)
    expected = REFERENCE[run.name](z, click, conversion, **run.reference)
    found = library(run.name, z, (click, conversion), run.library_options())
    assert expected.keys() == found.keys()
    gaps = {t: deviation(run, "value", found[t][0], value) for t, value in expected.items()}
    assert max(gaps.values()) <= VALUE, gaps


@pytest.mark.parametrize("run", EXTRAS, ids=str)
def test_terms_of_features_and_earlier_models_equal_the_reference(run: Run) -> None:
    """DR-V2's embedding features, NISE's logits of an averaged or previous model."""
    z, (click, conversion) = batch_for(run, 5)
    rng = np.random.default_rng(6)
    extra = rng.normal(size=click.size) if run.name == "nise" else rng.normal(size=(click.size, 3))
    key = "earlier" if run.name == "nise" else "features"
    given = {key: sigmoid(extra) if run.name == "nise" else extra}
    fn = partial(
        REFERENCE[run.name], click=click, conv=conversion, frozen=z, **given, **run.options
    )
    method = METHODS[run.name]
    leaves = {head: torch.from_numpy(a.copy()).requires_grad_() for head, a in z.items()}
    terms = method.terms(
        method.Config.parse(run.name, run.options),
        Outputs(dict(leaves), {key: torch.from_numpy(extra)}),
        Labels(torch.from_numpy(click), torch.from_numpy(conversion)),
    )
    expected, numeric = fn(z), finite_difference_terms(fn, z)
    assert expected.keys() == terms.keys()
    for term, value in expected.items():
        assert deviation(run, "value", terms[term].value.item(), value) <= VALUE, term
        slopes = torch.autograd.grad(
            terms[term].value, list(leaves.values()), retain_graph=True, allow_unused=True
        )
        for (head, gradient), slope in zip(numeric[term].items(), slopes, strict=True):
            ours = np.zeros_like(gradient) if slope is None else slope.numpy()
            gap = deviation(run, "finite differences", ours, gradient)
            assert gap <= DIFFERENCES, (term, head)


def test_nise_without_an_earlier_model_takes_its_own_predictions() -> None:
    """There is none in the first epoch, and none in an audit of the terms alone."""
    run = Run("nise", {"pseudo": "previous_epoch"}, meaning={"pseudo": "self_detached"})
    z, labels = batch_for(run, 7)
    for term, value in REFERENCE["nise"](z, *labels, **run.reference).items():
        found = library("nise", z, labels, run.options)[term][0]
        assert deviation(run, "value", found, value) <= VALUE, term


@pytest.mark.parametrize("name", WEIGHTS)
def test_default_weights(name: str) -> None:
    method, _, variant = name.partition("/")
    options = Run(method, variant=variant or None).library_options()
    weights = weights_of(make_method(method, options))
    assert weights == pytest.approx(WEIGHTS[name], rel=1e-12)
