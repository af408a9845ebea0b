"""What every option of a method has to keep. Each property returns how much it has compared."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from postclick.losses import weighted_sum
from postclick.methods.base import Labels, Method, PropensityConfig
from postclick.testing.batches import (
    PATTERNS,
    dense,
    make_batch,
    make_method,
    steps_of,
    with_logits,
)
from postclick.testing.cases import CLIPS, Case


def weights_are_terms_of_steps(case: Case) -> int:
    """Weights are finite, and the steps take exactly the terms that weigh something."""
    method = case.make()
    batch = make_batch(*PATTERNS["mixed"])
    terms = method.terms(method.config, method(batch), Labels.of(batch))
    for name, term in terms.items():
        assert math.isfinite(term.weight), f"{case}: the weight of term {name}"
        assert term.weight >= 0, f"{case}: term {name} has a negative weight"
    used: set[str] = set()
    for step in steps_of(method):
        used |= method.loss(batch, step)[1].keys()
    weighty = {name for name, term in terms.items() if term.weight > 0}
    assert used == weighty, f"{case}: steps take {sorted(used)}, weighty are {sorted(weighty)}"
    return len(terms)


def _fingerprint(method: Method) -> list[Tensor]:  # type: ignore[type-arg]
    """Everything by which two methods can differ: heads, values, gradients, the schedule."""
    batch = make_batch(*PATTERNS["mixed"])
    _, terms = method.loss(batch)
    total = weighted_sum(terms)
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
        total = weighted_sum(method.terms(method.config, replaced, Labels.of(batch)))
        slopes = torch.autograd.grad(total, leaves, allow_unused=True)
        parts += [total.detach(), *(torch.zeros(1) if g is None else g for g in slopes)]
    parts.append(torch.tensor(list(repr(method.schedule(10)).encode())))
    return parts


def has_an_effect(case: Case) -> int:
    """An option that is stored and never read changes neither losses nor gradients."""
    if case.option is None:
        return 0
    with_it = _fingerprint(case.make())
    without = _fingerprint(make_method(case.method, case.base))
    same_shapes = [a.shape for a in with_it] == [b.shape for b in without]
    assert not same_shapes or any(
        not torch.equal(a, b) for a, b in zip(with_it, without, strict=True)
    ), f"{case}: the option is without effect"
    return len(with_it)


def ablations_drop_their_terms(case: Case) -> int:
    """A variant called `no_*` drops the terms that the contract names, and no others."""
    variant = case.label.removeprefix("variant:")
    if not case.label.startswith("variant:no_"):
        return 0
    drops = case.method.contract.drops
    assert variant in drops, f"{case}: name what it drops in {case.method.__name__}.contract"
    batch = make_batch(*PATTERNS["mixed"])
    full = make_method(case.method).loss(batch)[1].keys()
    ablated = case.make().loss(batch)[1].keys()
    assert full - ablated == set(drops[variant]), f"{case}: drops {sorted(full - ablated)}"
    assert not ablated - full, f"{case}: has terms of its own"
    return 1 + len(full)


def searched_or_says_why_not(case: Case) -> int:
    """Every option has a range for `tune`, or a reason for none; its default lies within."""
    config = case.method.Config
    options = set(config.model_fields) - {"preset"}
    both = set(config.search) & set(config.unsearched)
    assert not both, f"{case}: {sorted(both)} are in search and in unsearched"
    silent = options - set(config.search) - set(config.unsearched)
    assert not silent, f"{case}: {sorted(silent)} are in neither search nor unsearched"
    assert all(config.unsearched.values()), f"{case}: a reason in unsearched is empty"
    for name, space in config.search.items():
        default = config.model_fields[name].default
        assert len(space.around(default).ends) > 1, f"{case}: the range of {name} is one value"
    return 1 + len(options)


def idle_options_change_no_loss(case: Case) -> int:
    """What `Config.idle` leaves out of a search beside these options has indeed no say."""
    plain = case.make()
    config, compared = plain.config, 0
    batch = make_batch(*PATTERNS["mixed"])
    scales = {
        option
        for variant, options in case.method.contract.scales.items()
        if case.method.variants[variant].items() <= case.options.items()
        for option in options
    }
    for option in config.idle() - set(case.options) - scales:
        for value in config.search[option].around(getattr(config, option)).ends:
            options = {**case.options, option: value}
            try:
                other = make_method(case.method, options)
            except ValueError:
                continue  # it is refused beside the others, which is as well
            for step in steps_of(plain):
                losses = []
                for method in (plain, other):
                    torch.manual_seed(0)  # for dropout
                    losses.append(weighted_sum(method.loss(batch, step)[1]).item())
                assert losses[0] == losses[1], f"{case}: {option}={value} has a say"
                compared += 1
    return compared


def propensity_is_detached(case: Case) -> int:
    """Weighted terms train the propensity's head if and only if it is attached.

    A weighted term is one that a narrower clip changes; exceptions stand in the contract.
    """
    if not issubclass(case.method.Config, PropensityConfig) or case.label != "default":
        return 0
    contract, head = case.method.contract, case.method.propensity_head
    wide, narrow = ({"clip": clip} for clip in CLIPS)
    values, slope = _slopes(case, wide, head)
    attached_values, attached = _slopes(case, {**wide, "detach_propensity": False}, head)
    clipped, _ = _slopes(case, narrow, head)
    weighted = [name for name in values if not torch.equal(values[name], clipped[name])]
    assert contract.weighted_cvr in weighted, f"{case}: {contract.weighted_cvr} is not weighted"
    for name in weighted:
        always = name in contract.trains_propensity
        assert slope[name] == always, f"{case}: term {name} trains the propensity: {slope[name]}"
        assert torch.equal(values[name], attached_values[name]), f"{case}: term {name}"
        never = name in contract.spares_propensity
        assert attached[name] != never, f"{case}: term {name}, attached: {attached[name]}"
    return len(weighted)


def _slopes(case: Case, options: dict, head: str) -> tuple[dict[str, Tensor], dict[str, bool]]:  # type: ignore[type-arg]
    """Values of the terms, and whether each has a gradient for the head."""
    method = make_method(case.method, options).eval()
    batch = make_batch(*PATTERNS["mixed"])
    outputs = method(batch)
    rng = np.random.default_rng(2)
    columns = [rng.normal(size=len(batch)).tolist() for _ in outputs.logits]
    replaced, leaves = with_logits(outputs, columns)
    leaf = dict(zip(outputs.logits, leaves, strict=True))[head]
    terms = method.terms(method.config, replaced, Labels.of(batch))
    reached = {}
    for name, term in terms.items():
        (found,) = torch.autograd.grad(term.value, [leaf], retain_graph=True, allow_unused=True)
        reached[name] = found is not None and bool((found != 0).any())
    return {name: term.value for name, term in terms.items()}, reached
