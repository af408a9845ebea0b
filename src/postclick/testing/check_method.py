"""`check_method`: everything that a method has to keep, for one of ours or of yours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from postclick.methods.base import Method
from postclick.methods.fitted import FittedMethod
from postclick.nn.backbones import BACKBONES
from postclick.testing import loss_properties as loss
from postclick.testing import network_properties as network
from postclick.testing import option_properties as option
from postclick.testing.cases import Case, cases_of
from postclick.testing.exposure_properties import exposure_moves_clicks_alone
from postclick.testing.reference_check import Reference, equals_reference
from postclick.testing.weight_properties import weights_repeat_rows

# Layouts that the tiny default network does not have.
NETWORKS: dict[str, dict[str, Any]] = {
    "a shared bottom": {"bottom": (5,), "backbone": "share_bottom"},
    "batch norm and dropout": {"batch_norm": True, "dropout": 0.3, "expert_dropout": 0.3},
    "numbers as a field": {"numeric": "project", "tower": (4, 3, 2)},
}

Property = Callable[[Case], int]


def _on_backbones(check: Callable[..., int]) -> Property:
    def everywhere(case: Case) -> int:
        return sum(check(case, backbone=name) for name in BACKBONES)

    return everywhere


def _on_networks(case: Case) -> int:
    return sum(loss.finite(case, **settings) for settings in NETWORKS.values())


# With every value of every option, every variant and every preset.
OF_EVERY_CASE: dict[str, Property] = {
    "finite on every backbone": _on_backbones(loss.finite),
    "finite at extreme logits": loss.finite_at_extreme_logits,
    "finite at random logits": loss.finite_at_random_logits,
    "blind to conversions without a click": loss.blind_to_unclicked_conversions,
    "trains the space that it names": loss.trains_its_own_space,
    "the same in any loop": loss.the_same_in_any_loop,
    "weights repeat rows": weights_repeat_rows,
    "exposure moves clicks alone": exposure_moves_clicks_alone,
    "one seed, one loss": network.repeatable,
    "saved and loaded": network.saved_and_loaded,
    "predicts probabilities": _on_backbones(network.predicts_probabilities),
    "starts at base rates": network.starts_at_base_rates,
    "weights are terms of steps": option.weights_are_terms_of_steps,
    "options have an effect": option.has_an_effect,
    "ablations drop their terms": option.ablations_drop_their_terms,
    "idle options change no loss": option.idle_options_change_no_loss,
}
# With default options only.
OF_THE_DEFAULT: dict[str, Property] = {
    "finite on other networks": _on_networks,
    "trains every parameter": network.trains_every_parameter,
    "every term trains embeddings": network.every_term_trains_embeddings,
    "options are searched or say why not": option.searched_or_says_why_not,
    "the propensity is detached": option.propensity_is_detached,
}
# Properties that there may be nothing to compare for: no option, no ablation, no propensity.
OPTIONAL = {
    "options have an effect",
    "ablations drop their terms",
    "idle options change no loss",
    "the propensity is detached",
}


def check_method(
    method: type[Method[Any]],
    *,
    reference: Reference | None = None,
    waive_reference: str | None = None,
    reference_cases: Sequence[Mapping[str, Any]] = ({},),
) -> dict[str, int]:
    """Check everything that postclick expects of a method; call it in a test of your package.

    The method is tried with every variant, preset and value of every option, interior values of
    numbers too, on tiny batches: without clicks, without conversions, of one row, of none.

    Args:
        method: the class.
        reference: an independent numpy implementation of the loss,
            `reference(logits, click, conversion, frozen, **options) -> {term: value}`, see
            `postclick.testing.reference_check.equals_reference`.
        waive_reference: why there is none; a warning repeats it.
        reference_cases: options that the reference is compared with.

    Returns:
        How many things each property has compared.

    Raises:
        AssertionError: a property does not hold, or has compared nothing.
        TypeError: it fits itself; `check_fitted_method` is for those.
        ValueError: neither a reference nor a reason for none is given.

    >>> from postclick.methods import Esmm
    >>> found = check_method(Esmm, waive_reference="an example")  # doctest: +SKIP
    """
    if issubclass(method, FittedMethod):
        raise TypeError(f"{method.name} fits itself: check it with check_fitted_method")
    if (reference is None) == (not waive_reference):
        raise ValueError(
            f"{method.name}: give reference=, a numpy implementation of its loss, or say in "
            "waive_reference= why there is none"
        )
    compared: dict[str, int] = {}
    cases = cases_of(method)
    for name, check in OF_EVERY_CASE.items():
        compared[name] = sum(check(case) for case in cases)
    for name, check in OF_THE_DEFAULT.items():
        compared[name] = check(cases[0])
    if reference is None:
        warnings.warn(
            f"{method.name}: its loss is compared with no reference: {waive_reference}",
            stacklevel=2,
        )
    else:
        check_reference = partial(equals_reference, reference=reference)
        compared["equals the reference"] = sum(
            check_reference(Case(method, f"reference {dict(options)}", dict(options)))
            for options in reference_cases
        )
    require_comparisons(method.name, compared)
    return compared


def require_comparisons(name: str, compared: Mapping[str, int]) -> None:
    """Raise `AssertionError` if a property has compared nothing that it must compare."""
    empty = [what for what, count in compared.items() if not count and what not in OPTIONAL]
    assert not empty, f"{name}: nothing was compared for: {'; '.join(empty)}"
