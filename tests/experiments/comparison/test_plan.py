"""Plans: which runs there are, with which settings, and whose folder it is."""

from pathlib import Path

import pytest
import yaml

import postclick
from helpers.runs import SMALL
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.datasets.simulated import SimulatedLog
from postclick.errors import InputError
from postclick.experiments.comparison.plan import PLAN, Arm, Plan
from postclick.methods import BATCH_METHODS, METHODS, FittedMethod
from postclick.system.files import read_json

# Of those that need a package beyond the extra `train`, see tests/methods/test_gbdt.py.
INSTALLED = tuple(
    name
    for name, method in METHODS.items()
    if not issubclass(method, FittedMethod) or method.can_fit()
)


def test_all_methods_with_all_seeds() -> None:
    plan = Plan.make(["all"], 3, backbone="auto")
    assert plan.labels == INSTALLED
    assert plan.seeds == (0, 1, 2)
    assert [(job.arm, job.seed) for job in plan.jobs] == [
        (name, seed) for name in INSTALLED for seed in range(3)
    ]
    assert all(job.settings.seed == job.seed for job in plan.jobs)


def test_on_one_backbone_no_method_is_there_twice() -> None:
    """Two runs that are equal to the last digit could never be told apart, nor beaten."""
    assert set(INSTALLED) - set(Plan.make(["all"], 1).labels) == {"mmoe"}
    assert Plan.make(["naive", "mmoe"], 1).labels == ("naive", "mmoe"), "who asks for it gets it"


def test_the_backbone_is_the_same_for_all_unless_asked() -> None:
    fixed = Plan.make(["esmm", "evi"], 1)
    assert fixed.backbone == "share_bottom"
    assert {job.settings.network.backbone for job in fixed.jobs} == {"share_bottom"}
    assert METHODS["evi"].backbone == "mmoe", "or this would show nothing"
    own = Plan.make(["esmm", "evi"], 1, backbone="auto")
    assert {job.settings.network.backbone for job in own.jobs} == {"auto"}
    assert Plan.make(["evi"], 1, backbone="mmoe").backbone == "mmoe"


def test_every_run_uses_one_thread_and_the_overrides() -> None:
    plan = Plan.make(["naive", "choruscvr/no_sam"], 1, ["epochs=3", "lr=0.5"])
    for job in plan.jobs:
        training = job.settings.training
        assert (training.threads, training.epochs, training.lr) == (1, 3, 0.5)
    assert plan.jobs[1].settings.options == {"align_weight": 0.0}


def test_folders_differ_and_stay_below_out(tmp_path: Path) -> None:
    plan = Plan.make(["choruscvr", "choruscvr/no_sam", "choruscvr/no_ndm"], 2)
    folders = [job.folder(tmp_path) for job in plan.jobs]
    assert len(set(folders)) == 6
    assert {folder.parent.parent for folder in folders} == {tmp_path / "runs"}


@pytest.mark.parametrize(
    ("methods", "seeds", "overrides", "backbone", "message"),
    [
        ([], 2, (), "auto", "at least one method and one seed"),
        (["esmm"], 0, (), "auto", "at least one method and one seed"),
        (["esmm", "esmm"], 1, (), "auto", "method esmm is named twice"),
        (["all", "evi"], 1, (), "auto", "method evi is named twice"),
        (["esm"], 1, (), "auto", "there is no method 'esm'"),
        (["esmm"], 1, (), "resnet", "network.backbone"),
        (["esmm", "evi"], 1, ("transfer_layers=2",), "auto", "'transfer_layers' is not a known"),
        (["esmm"], 1, ("epochs=0",), "auto", "training.epochs"),
    ],
)
def test_plans_that_are_refused(
    methods: list[str], seeds: int, overrides: tuple[str, ...], backbone: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        Plan.make(methods, seeds, overrides, backbone)
    assert "\n" not in str(error.value)


def test_a_folder_takes_more_seeds_and_methods_but_no_other_settings(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    Plan.make(["naive"], 2, SMALL).claim(tmp_path, small_log)
    Plan.make(["naive"], 5, SMALL).claim(tmp_path, small_log)
    Plan.make(["esmm"], 2, SMALL).claim(tmp_path, small_log)
    claimed = read_json(tmp_path / PLAN)
    assert set(claimed["settings"]) == {"naive", "esmm"}
    assert claimed["data_fingerprint"] == small_log.fingerprint
    with pytest.raises(InputError, match="holds runs of naive with other settings: name another"):
        Plan.make(["esmm", "naive"], 2, [*SMALL, "lr=0.5"]).claim(tmp_path, small_log)
    with pytest.raises(InputError, match="with other settings"):
        Plan.make(["naive"], 2, [*SMALL, "backbone=mmoe"]).claim(tmp_path, small_log)
    assert read_json(tmp_path / PLAN) == claimed


def test_a_folder_belongs_to_one_log(
    small_log: PreparedLog, small_raw: SimulatedLog, tmp_path: Path
) -> None:
    Plan.make(["naive"], 1, SMALL).claim(tmp_path, small_log)
    splits = LogSplits(small_raw.schema, FrameSource(small_raw.train))
    other = postclick.prepare(splits, tmp_path / "other")
    with pytest.raises(InputError, match="compares methods on another log"):
        Plan.make(["naive"], 1, SMALL).claim(tmp_path, other)


def test_a_damaged_plan_is_one_line(small_log: PreparedLog, tmp_path: Path) -> None:
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(InputError, match=r"plan\.json is damaged"):
        Plan.make(["naive"], 1, SMALL).claim(tmp_path, small_log)


def test_settings_of_a_plan_can_be_written(tmp_path: Path) -> None:
    for job in Plan.make(["all"], 1).jobs:
        assert yaml.safe_load(job.settings.to_yaml())["method"] == job.settings.method


def test_an_arm_has_settings_of_its_own(tmp_path: Path) -> None:
    arms = ["evi", Arm("evi, K 1", "evi", ("transfer_layers=1", "epochs=4"))]
    plan = Plan.make(arms, 1, ["epochs=3"])
    plain, own = (job.settings for job in plan.jobs)
    assert plan.labels == ("evi", "evi, K 1")
    assert (plain.training.epochs, own.training.epochs) == (3, 4), "an arm's own settings win"
    assert own.options == {"transfer_layers": 1}
    with pytest.raises(InputError, match="method evi is named twice"):
        Plan.make(["evi", Arm("evi", "evi", ("transfer_layers=1",))], 1)


def test_all_are_trained_equally_long() -> None:
    for job in Plan.make(list(BATCH_METHODS), 1, ["epochs=3"]).jobs:
        training = job.settings.training
        assert (training.epochs, training.patience, training.keep) == (3, None, "last")


def test_tuned_results_of_another_effort_are_refused(
    small_log: PreparedLog, tmp_path: Path
) -> None:
    plan = Plan.make(["naive"], 1, SMALL)
    plan.claim(tmp_path, small_log, 3)
    plan.claim(tmp_path, small_log)
    plan.claim(tmp_path, small_log, 3)
    with pytest.raises(InputError, match="tuned with 3 trials each, not 4: name another"):
        plan.claim(tmp_path, small_log, 4)
