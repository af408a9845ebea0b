"""`mean_of`: the mean is that of numpy, and what cannot be averaged is refused with a mend."""

from typing import Any

import numpy as np
import pytest
import torch

from methods.helpers import INPUTS, make_batch, make_method
from postclick.errors import InputError
from postclick.methods import MeanOf
from postclick.methods.base import Method
from postclick.methods.members import Member
from postclick.runs.members import member_settings
from postclick.runs.overrides import read_by
from postclick.runs.settings import RunSettings
from postclick.testing.exposure_properties import EXPOSED, exposed_batch

MEMBERS = ["naive*2", {"method": "esmm", "weight": 3}, "click_prior"]
WEIGHTS = np.array([0.5, 0.5, 3.0, 1.0])
BATCH = make_batch([1, 0, 0, 1, 0, 1], [1, 0, 0, 0, 0, 1])


def far(mean: str, inputs: Any = INPUTS, members: Any = MEMBERS) -> Method[Any]:
    """With weights far from where training starts."""
    made = make_method("mean_of", {"members": members, "mean": mean}, inputs=inputs).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return made


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p / (1 - p))


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("mean", ["probability", "logit"])
def test_it_is_the_mean_of_the_members_predictions(mean: str) -> None:
    method = far(mean)
    method.ctr_shift = -1.3
    for shift, predict in ((-1.3, method.predict), (0.0, method.predict_sampled)):
        for head in ("ctr", "cvr"):
            each = []
            for member in method.members:
                each.append(getattr(member.predict(BATCH), head).detach().double().numpy())
            if mean == "logit":
                expected = np.average(each, axis=0, weights=WEIGHTS)
            else:
                expected = logit(np.average(sigmoid(np.array(each)), axis=0, weights=WEIGHTS))
            found = getattr(predict(BATCH), head).detach().numpy()
            assert found == pytest.approx(expected + shift * (head == "ctr"), abs=1e-5)
    assert method.predict(BATCH).log_ctcvr is None


def test_the_mean_of_one_is_that_one() -> None:
    method = far("probability", members="esmm")
    assert torch.equal(method.predict(BATCH).cvr, method.members[0].predict(BATCH).cvr)


def test_extreme_logits_stay_finite() -> None:
    method = far("probability")
    z = [torch.tensor([-80.0, 80.0, 0.0])] * 4
    assert method._mean(z, "cvr").tolist() == pytest.approx([-80, 80, 0], abs=1e-4)


@pytest.mark.parametrize("mean", ["probability", "logit"])
def test_the_exposure_moves_clicks_alone(mean: str) -> None:
    method = far(mean, EXPOSED)
    batch = exposed_batch()
    values = [torch.full_like(batch.ids[:, 0], at) for at in (1, 2)]
    found = [method.predict(type(batch)(**{**vars(batch), "exposure": at})) for at in values]
    assert torch.equal(found[0].cvr, found[1].cvr)
    assert not torch.equal(found[0].ctr, found[1].ctr)
    # Where it is not known, each member takes its own mean over exposures first, and corrects what
    # it takes the mean of.
    unknown = type(batch)(**{**vars(batch), "exposure": None})
    method.ctr_shift = -1.0
    for member in method.members:
        member.ctr_shift = -1.0
    each = [member.predict(unknown).ctr.detach().double().numpy() for member in method.members]
    p = np.average(sigmoid(np.array(each)), axis=0, weights=WEIGHTS)
    expected = np.average(each, axis=0, weights=WEIGHTS) if mean == "logit" else logit(p)
    assert method.predict(unknown).ctr.detach().numpy() == pytest.approx(expected, abs=1e-5)
    assert len(method.exposures()) == 4


def test_each_member_has_settings_of_its_own_over_those_of_all() -> None:
    member = {"method": "naive*2", "options": {"cvr_weight": 2}, "network": {"dropout": 0.1}}
    member["training"] = {"lr": 0.5}
    settings = RunSettings.make(
        "mean_of",
        config={"options": {"members": [member, "evi/no_vie"]}},
        overrides=["tower=[8]", "epochs=5", "lr=0.25"],
        seed=2,
    )
    first, second, third = member_settings(settings)
    assert [one.seed for one in (first, second, third)] == [6, 7, 8]
    assert first.model_copy(update={"seed": 7}) == second
    assert (first.training.lr, third.training.lr, third.training.epochs) == (0.5, 0.25, 5)
    assert (first.network.dropout, third.network.dropout) == (0.1, 0.0)
    assert first.network.tower == third.network.tower == (8,)
    assert first.options == {"cvr_weight": 2.0}
    # As a run of its own has it: the paper's backbone, the variant's options.
    alone = RunSettings.make("evi/no_vie", overrides=["tower=[8]", "epochs=5", "lr=0.25"], seed=8)
    assert third.network.options_of("mmoe") == alone.network.options_of("mmoe")
    assert (third.method_config, third.training) == (alone.method_config, alone.training)
    again = RunSettings.model_validate(RunSettings.model_validate_json(settings.model_dump_json()))
    assert member_settings(again) == (first, second, third)


def test_it_reads_what_some_member_reads() -> None:
    sets = ["lr=0.1", "tower=[4]", "threads=1"]
    assert read_by(MeanOf, sets) == sets
    assert read_by(MeanOf, sets, {"members": ["click_prior"]}) == ["threads=1"]
    assert read_by(MeanOf, sets, own=["members=click_prior"]) == ["threads=1"]
    with pytest.raises(InputError, match="mean_of fits itself and does not read training.lr"):
        RunSettings.make("mean_of", overrides=["lr=0.1", "members=[click_prior]"])


@pytest.mark.parametrize(
    ("members", "told", "mended"),
    [
        ([], "there is none: name methods", ["naive"]),
        (["naiv"], r"no method 'naiv' \(did you mean 'naive'\?\)", ["naive"]),
        (["naive", "mean_of"], "mean_of is a mean itself: name its members here", ["naive*2"]),
        (["mean_of/starts"], "mean_of/starts is a mean itself", ["naive*4"]),
        (["selection_network"], "selection_network trains networks of its own", ["selection"]),
        (["naive*x"], r"a number of starts, e.g. naive\*3", ["naive*3"]),
        (["naive*0"], "greater than or equal to 1", ["naive*1"]),
        (
            [{"method": "naive*2", "starts": 2}],
            "give one of them",
            [{"method": "naive", "starts": 2}],
        ),
        (
            [{"method": "naive", "options": {"reductio": 1}}],
            "did you mean 'reduction'",
            [{"method": "naive", "options": {"reduction": "mean_entire"}}],
        ),
        (
            [{"method": "naive", "network": {"dropuot": 0.1}}],
            "did you mean 'dropout'",
            [{"method": "naive", "network": {"dropout": 0.1}}],
        ),
        ([{"method": "naive", "start": 2}], "did you mean 'starts'", ["naive*2"]),
        (
            [{"method": "naive", "training": {"epoch": 2}}],
            "member naive: settings: training.epoch: .*did you mean 'epochs'",
            [{"method": "naive", "training": {"epochs": 2}}],
        ),
    ],
)
def test_what_cannot_be_averaged_is_refused(members: Any, told: str, mended: Any) -> None:
    with pytest.raises(InputError, match=told):
        member_settings(RunSettings.make("mean_of", config={"options": {"members": members}}))
    assert member_settings(RunSettings.make("mean_of", config={"options": {"members": mended}}))


def test_a_class_is_a_member_by_its_name() -> None:
    from postclick.methods import Esmm

    assert Member.model_validate(Esmm).method == "esmm"
