"""Settings from files, overrides and arguments, and back from config.yaml."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.foreign_backbone import FOREIGN, Gated
from postclick.errors import InputError
from postclick.methods import METHODS, find_method
from postclick.methods.base import MethodConfig
from postclick.runs.overrides import parse_override, read_by
from postclick.runs.settings import RunSettings, load_config, value_of


def test_overrides_find_their_section() -> None:
    settings = RunSettings.make(
        "choruscvr", overrides=["lr=0.01", "tower=[64, 32]", "ipw_norm=self", "training.epochs=3"]
    )
    assert (settings.training.lr, settings.training.epochs) == (0.01, 3)
    assert settings.network.tower == (64, 32)
    assert settings.options == {"ipw_norm": "self"}


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 1e-3), ("1E-05", 1e-5), ("2", 2.0), (".5", 0.5)]
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    """YAML takes 1e-3 for text."""
    made = RunSettings.make("naive", overrides=[f"lr={text}", f"cvr_weight={text}"])
    assert made.training.lr == value
    assert made.options["cvr_weight"] == value
    assert isinstance(made.options["cvr_weight"], float)


def test_other_yaml_values() -> None:
    made = RunSettings.make(
        "choruscvr",
        overrides=["patience=null", "tie_uncvr=true", "clip=[0.05, 0.95]", "betas=[0.8, 0.9]"],
    )
    assert made.training.patience is None
    assert made.training.betas == (0.8, 0.9)
    assert made.options["tie_uncvr"] is True
    assert made.method_config.model_dump()["clip"] == (0.05, 0.95)


def test_the_last_word_counts() -> None:
    config = {"training": {"lr": 0.1, "epochs": 7}, "seed": 3, "method": "esmm"}
    made = RunSettings.make("naive", config=config, overrides=["lr=0.2", "lr=0.3"], seed=5)
    assert (made.method, made.seed) == ("naive", 5)
    assert (made.training.lr, made.training.epochs) == (0.3, 7)
    assert RunSettings.make(config=config).seed == 3
    assert config == {"training": {"lr": 0.1, "epochs": 7}, "seed": 3, "method": "esmm"}


def test_options_of_another_method_in_the_file_are_not_taken_over() -> None:
    config = {"method": "choruscvr", "options": {"align_weight": 0.5}}
    assert RunSettings.make("naive", config=config).options == {}
    assert RunSettings.make("choruscvr", config=config).options == {"align_weight": 0.5}


def test_options_of_backbones_are_flat() -> None:
    made = RunSettings.make(
        "esmm", overrides=["backbone=mmoe", "experts=4", "network.expert_width=8"]
    )
    assert made.backbone.name == "mmoe"
    assert made.network.options_of("mmoe").model_dump() == {
        "experts": 4,
        "expert_width": 8,
        "expert_dropout": 0.3,
    }
    assert RunSettings.make("esmm", config={"network": {"experts": 4}}).network.options == {
        "bottom": (),
        "experts": 4,
    }


def test_auto_is_the_papers_own_backbone() -> None:
    """One setting for methods of different backbones has a say where there is one."""
    esmm, evi = (RunSettings.make(name, overrides=["experts=4"]) for name in ("esmm", "evi"))
    assert (esmm.backbone.name, evi.backbone.name) == ("share_bottom", "mmoe")
    assert evi.network.model_dump()["expert_width"] == 256
    assert "expert_width" not in esmm.network.model_dump()
    assert value_of(esmm, "network.experts") == value_of(evi, "network.experts") == 4
    assert esmm.network.model_fields_set == evi.network.model_fields_set == {"experts"}


def test_a_foreign_backbone_brings_its_settings() -> None:
    made = RunSettings.make("esmm", overrides=["gate_width=8", f"backbone={FOREIGN}"])
    assert made.backbone is Gated
    assert made.network.options == {"gate_width": 8}
    assert RunSettings.make("esmm", config={"network": {"backbone": Gated}}).backbone is Gated
    with pytest.raises(InputError, match="'gate_width' is not a known setting"):
        RunSettings.make("esmm", overrides=["gate_width=8"])
    with pytest.raises(InputError, match="network.gate_width: .*found 0"):
        RunSettings.make("esmm", overrides=["gate_width=0", f"backbone={FOREIGN}"])


OLD = """
method: esmm
options: {}
network: {backbone: auto, embedding_dim: 8, embedding_std: 0.01, numeric: concat, bottom: [],
  tower: [64, 32], dropout: 0.0, batch_norm: false, experts: 8, expert_width: 256,
  expert_dropout: 0.3}
training: {epochs: 3}
seed: 1
"""


def test_config_files_of_before_are_read(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(OLD)
    found = RunSettings.model_validate(load_config(tmp_path / "config.yaml"))
    assert (found.network.tower, found.network.embedding_dim) == ((64, 32), 8)
    assert found.network.options_of("mmoe").model_dump()["experts"] == 8
    assert RunSettings.make(config=load_config(tmp_path / "config.yaml")).seed == 1


WRONG = [
    (["backbone=resnet"], "network.backbone: there is no backbone 'resnet'; there are share_bot"),
    (["experts=0"], "network.experts: Input should be greater than or equal to 1, found 0"),
    (["network.experts=many"], "network.experts: .*valid integer.*found 'many'"),
    (
        ["network.expertz=4"],
        "network.expertz: is not a known setting .did you mean 'experts'",
    ),
    (["expertz=4"], "'expertz' is not a known setting: did you mean 'experts'?"),
    (["structure=parallel", "deep=[]"], r"network: structure=parallel leaves .* set deep=.128."),
    (["lrr=1"], "'lrr' is not a known setting"),
    (["training.lrr=1"], "training.lrr: is not a known setting"),
    (["net.dropout=1"], "no section 'net'"),
    (["options.align=1"], "align: is not a known setting"),
    (["lr"], "expected key=value"),
    (["=1"], "expected key=value"),
    (["lr="], "training.lr: .*valid number, found None"),
    (["lr=fast"], "training.lr: .*valid number.*found 'fast'"),
    (["lr=-1"], "training.lr: .*greater than 0, found -1"),
    (["tower=[1,"], "not YAML"),
    (["tower=wide"], "network.tower: .*found 'wide'"),
    (["align_weight=-1"], "align_weight: .*greater than or equal to 0"),
    (["ipw_norm=mean"], "ipw_norm: .*'clicked', 'entire' or 'self', found 'mean'"),
    (["clip=[0.9, 0.1]"], "is not a range within"),
    (["optimizer=adam"], "training.optimizer: .*'lazy_adam' or 'exact_adam'"),
]


@pytest.mark.parametrize(("overrides", "message"), WRONG)
def test_wrong_overrides_are_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        RunSettings.make("choruscvr", overrides=overrides)
    assert "\n" not in str(error.value)


def test_a_key_in_two_sections_has_to_be_placed() -> None:
    class Options(MethodConfig):
        dropout: float = 0.0

    with pytest.raises(InputError, match="is in options and network: put the section before it"):
        parse_override("dropout=0.1", Options)
    assert parse_override("network.dropout=0.1", Options) == ("network", "dropout", 0.1)
    assert parse_override("options.dropout=1e-1", Options) == ("options", "dropout", "1e-1")


@pytest.mark.parametrize("method", METHODS)
def test_no_method_has_an_option_that_has_to_be_placed(method: str) -> None:
    for key in METHODS[method].Config.model_fields:
        assert parse_override(f"{key}=1", METHODS[method].Config) == ("options", key, 1)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("nosuch", "there is no method 'nosuch'; there are naive"),
        ("choruscvr/nosuch", "no variant 'nosuch'; there is choruscvr/no_ndm"),
        (None, "no method named"),
    ],
)
def test_wrong_methods(method: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RunSettings.make(method)


def test_a_variant_is_its_options_and_an_override_wins() -> None:
    assert RunSettings.make("choruscvr/no_sam").options == {"align_weight": 0.0}
    made = RunSettings.make("choruscvr/no_sam", overrides=["align_weight=0.25"])
    assert made.options == {"align_weight": 0.25}
    assert made.method == "choruscvr/no_sam"


NAMES = [n for name, m in METHODS.items() for n in (name, *(f"{name}/{v}" for v in m.variants))]


@pytest.mark.parametrize("name", NAMES)
def test_config_yaml_gives_the_same_settings(name: str, tmp_path: Path) -> None:
    overrides = read_by(find_method(name)[0], ["lr=1e-3", "tower=[8,4]", "epochs=2", "threads=1"])
    made = RunSettings.make(name, overrides=overrides, seed=11)
    path = tmp_path / "config.yaml"
    path.write_text(made.to_yaml())
    for again in (
        RunSettings.make(config=load_config(path)),
        RunSettings.model_validate(load_config(path)),
    ):
        assert again.method_config == made.method_config
        assert again.to_yaml() == made.to_yaml()
        assert (again.network, again.training, again.seed) == (made.network, made.training, 11)
    written = yaml.safe_load(path.read_text())
    assert set(written["options"]) == set(type(made.method_config).model_fields)
    assert set(written["training"]) >= {"weight_decay", "threads", "checkpoint_minutes"}


@pytest.mark.parametrize("section", ["options", "network", "training"])
@pytest.mark.parametrize("value", [3, "fast", [1, 2]])
def test_a_section_that_is_no_mapping(section: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"settings: {section} must be a mapping"):
        RunSettings.make("naive", config={section: value})


def test_empty_sections_are_defaults() -> None:
    config = {"options": None, "network": {}, "training": None}
    assert RunSettings.make("naive", config=config) == RunSettings.make("naive")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {lr: 1", "cannot be read as YAML"),
        ("- a\n- b\n", "expected a mapping"),
        ("metod: naive\n", "unknown key 'metod' .did you mean 'method'.*; keys: method"),
        ("", "expected a mapping"),
    ],
)
def test_wrong_config_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        load_config(path)
    assert "\n" not in str(error.value)


def test_a_config_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config .*c\.yaml cannot be read"):
        load_config(tmp_path / "c.yaml")
