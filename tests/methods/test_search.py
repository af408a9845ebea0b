"""Every method and variant declares what a search may vary, and all of it is valid."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from helpers.foreign_backbone import FOREIGN
from postclick.experiments.tuning.search_space import declared
from postclick.losses import weighted_sum
from postclick.methods import METHODS
from postclick.ranges import Between, Choice, Factor, Interval, Times, Values
from postclick.runs.settings import RunSettings, value_of, with_values

from .helpers import BACKBONES, make_batch, make_method, steps_of

NAMES = [n for m in METHODS.values() for n in (m.name, *(f"{m.name}/{v}" for v in m.variants))]
every_name = pytest.mark.parametrize("name", NAMES)
# Corners that are tried of each space, besides the ends of each range: all low, all high, random.
RANDOM = 12


def ranges_of(name: str, *sets: str) -> tuple[RunSettings, dict[str, Interval | Values]]:
    """Settings as `tune` varies them, and the range of each."""
    given = RunSettings.make(name, overrides=sets)
    sized = {"training.batch_size": 256, "network.embedding_dim": 8}
    spaces = declared(given)
    base = with_values(given, {n: v for n, v in sized.items() if n in spaces})
    return base, {n: space.around(value_of(base, n)) for n, space in spaces.items()}


def corners(ranges: dict[str, Interval | Values]) -> list[dict[str, Any]]:
    ends = {name: found.ends for name, found in ranges.items()}
    found = [{n: e[0] for n, e in ends.items()}, {n: e[-1] for n, e in ends.items()}]
    found += [{name: value} for name, values in ends.items() for value in values]
    rng = np.random.default_rng(0)
    for _ in range(RANDOM):
        found.append({n: e[int(rng.integers(len(e)))] for n, e in ends.items()})
    return found


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_searched_or_it_says_why_not(name: str) -> None:
    config = METHODS[name].Config
    options = set(config.model_fields) - {"preset"}
    assert not set(config.search) & set(config.unsearched), "an option that is in both"
    assert set(config.search) | set(config.unsearched) == options
    assert all(config.unsearched.values())


@every_name
def test_every_corner_is_valid(name: str) -> None:
    """Through `RunSettings.make`, and for the options a method that has a loss."""
    base, ranges = ranges_of(name)
    assert ranges
    for corner in corners(ranges):
        settings = with_values(base, corner)
        for key, value in corner.items():
            assert value_of(settings, key) == value, key
    batch = make_batch([1, 0, 1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 0, 1, 0, 0])
    for corner in corners(ranges)[:2]:
        options = with_values(base, corner).options
        method = make_method(base.method.partition("/")[0], options)
        for step in steps_of(method):
            assert np.isfinite(weighted_sum(method.loss(batch, step)[1]).item())


@every_name
def test_what_a_variant_sets_is_not_searched(name: str) -> None:
    given = RunSettings.make(name)
    assert not {f"options.{option}" for option in given.options} & set(declared(given))


@every_name
def test_defaults_are_within_the_ranges(name: str) -> None:
    base, ranges = ranges_of(name)
    for key, found in ranges.items():
        value = value_of(base, key)
        if isinstance(found, Interval):
            assert found.low <= value <= found.high
            assert found.low < found.high
            assert found.low > 0 or not found.log
        else:
            assert value in found.values
            assert len(found.values) == len(set(found.values)) > 1


@pytest.mark.parametrize(
    ("name", "idle"),
    [
        ("escm2_dr/label", {"imputation_activation"}),
        ("evi/no_teacher", {"teacher_weight", "unclicked_weight", "condition_at", "vie_weight"}),
        ("evi/no_vie", {"transfer_layers", "softplus_is"}),
        ("ddpo/no_convn", {"conversion_weight", "cvr_unclicked_weight"}),
        ("ukd/distillation", {"exponent"}),
        ("nise/no_ctr", {"cvr_weight", "beta"}),
        ("nise/fixed_weight", {"beta"}),
        ("dcmt/evi_repo", {"self_normalise"}),
        ("mrdr_gpl/evi_repo", {"imputation_loss"}),
    ],
)
def test_options_without_a_say_are_not_searched(name: str, idle: set[str]) -> None:
    base = name.partition("/")[0]
    found, plain = (
        {n.partition(".")[2] for n in declared(RunSettings.make(m))} for m in (name, base)
    )
    assert not idle & found
    assert idle <= plain


@every_name
def test_idle_options_change_no_loss(name: str) -> None:
    """What `idle` leaves out beside a variant has indeed no say."""
    given = RunSettings.make(name)
    config = given.method_config
    batch = make_batch([1, 0, 1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 0, 1, 0, 0])
    method_name = name.partition("/")[0]
    plain = make_method(method_name, given.options)
    scales = {"cvr_weight"} if name == "nise/no_ctr" else set()  # of the only term
    for option in config.idle() - set(given.options) - scales - {"imputation_activation"}:
        for value in config.search[option].around(getattr(config, option)).ends:
            other = make_method(method_name, {**given.options, option: value})
            for step in steps_of(plain):
                losses = []
                for method in (plain, other):
                    torch.manual_seed(0)  # for dropout
                    losses.append(weighted_sum(method.loss(batch, step)[1]).item())
                assert losses[0] == losses[1], (option, value)


def test_backbones_bring_their_own() -> None:
    share, mixed = (
        set(declared(RunSettings.make("naive", overrides=[f"backbone={kind}"])))
        for kind in ("share_bottom", "mmoe")
    )
    assert "network.bottom" in share - mixed
    assert {"network.experts", "network.expert_width", "network.expert_dropout"} <= mixed - share


@pytest.mark.parametrize("kind", [*BACKBONES, FOREIGN])
def test_every_corner_of_a_backbone_is_valid(kind: str) -> None:
    base, ranges = ranges_of("naive", f"backbone={kind}")
    own = {f"network.{name}" for name in base.backbone.Options.search}
    assert own and own <= set(ranges)
    for corner in corners(ranges):
        settings = with_values(base, corner)
        for key, value in corner.items():
            assert value_of(settings, key) == value, key


@pytest.mark.parametrize(
    "space", [Factor(0.5, 2.0), Between(0.1, 10.0, log=True), Between(0.0, 5.0), Choice((1, 3))]
)
def test_draws_lie_in_the_range(space: Factor | Between | Choice) -> None:
    rng = np.random.default_rng(0)
    drawn = [space.draw(rng, 3) for _ in range(200)]
    found = space.around(3)
    assert min(drawn) >= min(found.ends)
    assert max(drawn) <= max(found.ends)
    assert len(set(drawn)) > 1


def test_times_are_whole_and_at_least_one() -> None:
    assert Times((0.5, 1, 2)).around(1).values == (1, 2)
    rng = np.random.default_rng(0)
    assert {Times((0.5, 1, 2)).draw(rng, 3) for _ in range(50)} == {2, 3, 6}


def test_every_combination_of_a_small_space_is_valid() -> None:
    base, ranges = ranges_of("aitm")
    options = {n: r.ends for n, r in ranges.items() if n.startswith("options.")}
    for values in product(*options.values()):
        with_values(base, dict(zip(options, values, strict=True)))
