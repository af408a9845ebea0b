"""Options of worlds: what each takes, what is refused, and where they are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import Done, run, succeed
from postclick.datasets.simulated import WORLDS, get_world, simulate
from postclick.errors import InputError


@pytest.mark.parametrize("world", WORLDS)
def test_every_option_is_a_field_of_the_world(world: str) -> None:
    own = get_world(world)
    for name in own.options.model_fields:
        assert hasattr(own, name)
    values = {name: getattr(own, name) for name in own.options.model_fields}
    assert own.configured(values) == own == own.configured({})


@pytest.mark.parametrize("world", WORLDS)
def test_worlds_with_a_position_can_set_it(world: str) -> None:
    own = get_world(world)
    with_position = own.layout.position is not None
    assert ("position_sd" in own.options.model_fields) == with_position
    assert ("hidden_distribution" in own.options.model_fields) == own.hidden


@pytest.mark.parametrize(
    ("world", "options", "message"),
    [
        ("confounded", {"s": 1.0}, "world confounded: option s: is not a known setting"),
        ("confounded", {"s": 1.0}, "its options are position_sd, exposure"),
        ("hidden", {"position_ds": 1.0}, "did you mean 'position_sd'"),
        ("aliexpress_like", {"position_sd": 1.0}, "its options are none"),
        ("hidden", {"position_sd": -1.0}, "position_sd: .* greater than or equal to 0"),
        ("hidden", {"position_sd": float("nan")}, "position_sd"),
        ("hidden", {"hidden_distribution": "twopoint"}, "did you mean 'two_point'"),
        ("selection_iv", {"s": "much"}, "option s: .* found 'much'"),
        ("selection_iv", {"s": 11.0}, "option s"),
    ],
)
def test_wrong_options(world: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(world, rows=1_000, options=options)


def test_given_options_are_told_and_others_are_not(tmp_path: Path) -> None:
    given = ("--set", "s=0.5", "--set", "position_sd=2", "--set", "hidden_distribution=skewed")
    out = tmp_path / "log"
    succeed("simulate", out, "--world", "selection_iv", "--rows", "2000", *given)
    settings = json.loads((out / "world.json").read_text(encoding="utf-8"))["settings"]
    options = {"s": 0.5, "position_sd": 2.0, "hidden_distribution": "skewed"}
    assert {name: settings[name] for name in options} == options
    again = simulate("selection_iv", rows=2_000, options=options)
    assert again.settings == settings
    plain = simulate("selection_iv", rows=2_000)
    assert set(plain.settings) == set(settings) - set(options)
    assert not plain.train.equals(again.train)


def test_defaults_as_options_give_the_same_log() -> None:
    for world in ("hidden", "selection_iv", "deep"):
        own = get_world(world)
        options = {name: getattr(own, name) for name in own.options.model_fields}
        given = simulate(world, rows=2_000, options=options)
        assert given.train.equals(simulate(world, rows=2_000).train)


def test_the_command_refuses_in_one_line(tmp_path: Path) -> None:
    for given, message in (
        (("--world", "hidden", "--set", "strength=2"), "option strength: is not a known setting"),
        (("--set", "position_sd"), "expected key=value"),
    ):
        done: Done = run("simulate", tmp_path / "log", *given)
        assert done.code == 2
        assert message in done.err
        assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
