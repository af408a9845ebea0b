"""`NetworkConfig`: what all share, and options of backbones beside it."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from helpers.foreign_backbone import FOREIGN, Gated
from postclick.errors import InputError
from postclick.nn.backbones.mmoe import MMoE, MMoEOptions
from postclick.nn.backbones.ple import PleOptions
from postclick.nn.config import NetworkConfig


def test_options_stand_beside_what_is_shared() -> None:
    made = NetworkConfig.model_validate({"experts": "4", "bottom": [8, 4], "tower": [3]})
    assert (made.tower, made.backbone) == ((3,), "auto")
    assert made.options == {"bottom": (8, 4), "experts": 4}, "as their backbones take them"
    assert made.options_of("mmoe") == MMoEOptions(experts=4)
    assert made.options_of("ple") == PleOptions()
    assert made.model_fields_set == {"experts", "bottom", "tower"}


def test_options_of_another_backbone_have_no_say() -> None:
    made = NetworkConfig(backbone="share_bottom", experts=4)
    assert made.options_of("share_bottom").model_dump() == {"bottom": ()}
    with pytest.raises(ValidationError, match="experts"):
        NetworkConfig(backbone="share_bottom", experts=0)


def test_an_option_that_two_have_is_set_for_both() -> None:
    made = NetworkConfig(expert_width=32)
    assert made.options_of("mmoe").model_dump()["expert_width"] == 32
    assert made.options_of("ple").model_dump()["expert_width"] == 32


@pytest.mark.parametrize(
    "options",
    [
        {"backbone": "mlp"},
        {"width": 3},
        {"tower": (64, 0)},
        {"bottom": (-1,)},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"expert_dropout": 1.0},
        {"experts": 0},
        {"expert_width": 0},
        {"levels": 0},
        {"cross_rank": 0},
        {"structure": "serial"},
        {"gate_width": 4},
        {"attention": (0,)},
        {"embedding_dim": 0},
        {"embedding_std": 0.0},
        {"embedding_std": math.inf},
        {"numeric": "log"},
    ],
    ids=str,
)
def test_config_refuses(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))) as error:
        NetworkConfig.model_validate(options)
    assert error.value.errors()[0]["loc"][0] == next(iter(options))


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"set deep=\[128\]"):
        NetworkConfig(structure="parallel", deep=())


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        NetworkConfig().tower = ()


@pytest.mark.parametrize("given", [Gated, FOREIGN])
def test_a_foreign_backbone_brings_its_options(given: Any) -> None:
    made = NetworkConfig(backbone=given, gate_width=8, experts=4)
    assert made.backbone == FOREIGN
    assert made.backbone_of("mmoe") is Gated
    assert made.options_of(Gated).model_dump() == {"gate_width": 8}
    assert NetworkConfig.model_validate(made.model_dump(mode="json")) == made
    own = NetworkConfig.parse({"gate_width": 8}, Gated)
    assert (own.backbone, own.backbone_of(Gated)) == ("auto", Gated)
    with pytest.raises(ValidationError, match="gate_width"):
        NetworkConfig.parse({"gate_width": 0}, Gated)
    assert "gate_width" in NetworkConfig.names(given)
    assert "gate_width" not in NetworkConfig.names()


def test_completed_writes_every_option_of_the_backbone_out() -> None:
    given = NetworkConfig(experts=4, bottom=(8,), tower=(3,))
    made = given.completed(MMoE)
    assert made.model_dump() == {
        **given.model_dump(),
        "experts": 4,
        "expert_width": 256,
        "expert_dropout": 0.3,
    }
    assert made.model_fields_set == given.model_fields_set
    assert list(made.model_dump())[-4:] == ["experts", "expert_width", "expert_dropout", "bottom"]
    assert NetworkConfig.model_validate(made.model_dump(mode="json")) == made
    assert made.completed("mmoe") == made


def test_options_of_says_what_is_not_valid() -> None:
    broken = NetworkConfig().model_copy(update={"levels": "many"})
    with pytest.raises(InputError, match=r"backbone ple: network.levels: .*valid integer"):
        broken.options_of("ple")
