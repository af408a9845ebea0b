"""Every method trains on every backbone, and on one of somebody else's, and comes back."""

from pathlib import Path
from typing import ClassVar

import pytest
import torch
import yaml

from helpers.foreign_backbone import FOREIGN, Gated
from helpers.runs import FAST, overrides
from postclick import train
from postclick.data.prepared import PreparedLog
from postclick.methods import BATCH_METHODS, METHODS
from postclick.methods.naive import Naive
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings, value_of, with_values

from .helpers import BACKBONES

SIZES = ("expert_width=8", "experts=2", "deep=[8]", "cross_rank=4")
QUICK = (("evi", "dcn_v2"), ("ddpo", "ple"), ("ukd", "dcn_v2"), ("evi", FOREIGN))
EVERY = [(name, backbone) for name in BATCH_METHODS for backbone in BACKBONES]


@pytest.mark.parametrize(
    ("name", "backbone"),
    [*QUICK, *(pytest.param(*c, marks=pytest.mark.slow) for c in EVERY if c not in QUICK)],
)
def test_it_trains(name: str, backbone: str, small_log: PreparedLog, tmp_path: Path) -> None:
    own = overrides(name, *FAST, *SIZES, f"backbone={backbone}")
    run = train(small_log, RunSettings.make(name, overrides=own), tmp_path / "run")
    loaded, again = run.load(), Run(tmp_path / "run")
    assert loaded.kind is again.settings.backbone
    batch = next(small_log.shuffled("test", 64, 0))
    predictions = [method.predict(batch) for method in (loaded, again.load())]
    assert torch.equal(predictions[0].ctr, predictions[1].ctr)
    assert predictions[0].cvr.isfinite().all()
    assert run.history[-1]["valid"]["ctr_auc"] > 0.5


def test_config_yaml_has_the_options_of_its_backbone(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    sets = [*FAST, "backbone=ple", "levels=1", "experts=3"]
    run = train(small_log, RunSettings.make("esmm", overrides=sets), tmp_path / "run")
    written = yaml.safe_load((run.folder / "config.yaml").read_text())["network"]
    assert written["backbone"] == "ple"
    names = ("levels", "task_experts", "shared_experts", "expert_width", "expert_dropout")
    assert [written[n] for n in names] == [1, 2, 2, 128, 0.0]
    assert written["experts"] == 3, "what was set is kept, though it has no say"
    assert "bottom" not in written and "cross_layers" not in written


def test_the_backbone_of_a_method_may_be_a_class() -> None:
    class Mine(Naive):
        name = "mine"
        backbone: ClassVar = Gated

    METHODS["mine"] = Mine
    try:
        made = RunSettings.make("mine", overrides=["gate_width=8"])
        assert made.backbone is Gated and made.network.backbone == "auto"
        assert value_of(made, "network.gate_width") == 8
        again = RunSettings.model_validate(yaml.safe_load(made.to_yaml()))
        assert again.network == made.network
        assert value_of(with_values(made, {"network.gate_width": 3}), "network.gate_width") == 3
    finally:
        del METHODS["mine"]
