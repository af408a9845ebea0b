"""Weights that held-out rows choose: recomputed from runs made by hand; kills, exports, errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.optimize import minimize

from helpers import commands
from helpers.exposed_log import exposed_log
from helpers.runs import FAST, identical, saved_weights
from postclick import calibrate, export, prepare, train
from postclick.data.folds import TrainingFolds
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.methods import MeanOf, Method
from postclick.methods.held_out import HeldOut
from postclick.methods.members import Member
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.testing import check_fitted_method
from postclick.training import members as members_module

MEMBERS = "members=[click_prior,naive*2]"
HEADS = ("ctr", "cvr")


def stacked(*changes: str, weights: str = "cross_fitted") -> RunSettings:
    sets = [*FAST, MEMBERS, f"weights={weights}", *changes]
    return RunSettings.make("mean_of", overrides=sets, seed=1)


@pytest.fixture(scope="module")
def run(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(small_log, stacked(), tmp_path_factory.mktemp("stacked") / "run")


def alone(log: PreparedLog, folder: Path) -> list[Method[Any]]:
    """The starts of the mean, each trained by itself."""
    made = []
    for method, seed in (("click_prior", 3), ("naive", 4), ("naive", 5)):
        sets = ["threads=1"] if method == "click_prior" else FAST
        settings = RunSettings.make(method, overrides=sets, seed=seed)
        made.append(train(log, settings, folder / f"{method}-{seed}").load())
    return made


@torch.no_grad()
def probabilities(methods: list[Method[Any]], log: PreparedLog, split: str, head: str) -> Any:
    """Of each start `(n, starts)`, and labels `(n,)`: all rows, or clicked ones for `cvr`."""
    p, y = [], []
    for batch, _, _ in log.sequential(split, 512):
        kept = batch.click > 0 if head == "cvr" else torch.ones(len(batch), dtype=torch.bool)
        logits = [getattr(method.predict(batch), head)[kept].double() for method in methods]
        p.append(torch.stack(logits, dim=1).sigmoid().numpy())
        y.append((batch.conversion if head == "cvr" else batch.click)[kept].numpy())
    return np.concatenate(p), np.concatenate(y)


def most_likely(
    p: np.ndarray, y: np.ndarray, strength: float = 4.0, *, logit: bool = False
) -> float:
    """The weight of click_prior beside the two starts of naive, by SciPy."""
    each = np.log(p / (1 - p)) if logit else p
    first, second = each[:, 0], each[:, 1:].mean(axis=1)

    def loss(at: np.ndarray) -> float:
        mean = at[0] * first + (1 - at[0]) * second
        q = 1 / (1 + np.exp(-mean)) if logit else mean
        likelihood = np.where(y == 1, np.log(q), np.log(1 - q)).sum()
        return float(-likelihood - strength / 2 * (np.log(at[0]) + np.log(1 - at[0])))

    return float(minimize(loss, [0.5], bounds=[(1e-4, 1 - 1e-4)], tol=1e-12).x[0])


def test_folds_choose_what_runs_without_them_say(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    folds = TrainingFolds(small_log, 3, seed=1)
    starts = [alone(folds.without(fold), tmp_path / str(fold)) for fold in range(3)]
    found, noted = run.explain(), run.history[0]["weights"]
    for head in HEADS:
        parts = [probabilities(starts[fold], folds.only(fold), "train", head) for fold in range(3)]
        p, y = (np.concatenate(one) for one in zip(*parts, strict=True))
        expected = most_likely(p, y)
        prior, naive = found.of(head)
        assert (prior.member, naive.member) == ("click_prior", "naive*2")
        assert prior.weight == pytest.approx(expected, abs=1e-4)
        assert prior.weight + naive.weight == pytest.approx(1, abs=1e-6)
        assert 0.55 < prior.weight < 0.99
        assert noted[head] == {"click_prior": prior.weight, "naive*2": naive.weight}
        q = np.stack([p[:, 0], p[:, 1:].mean(axis=1)], axis=1)
        mean = q @ [prior.weight, naive.weight]
        every = np.column_stack([q, mean]).T
        losses = -np.log(np.where(y == 1, every, 1 - every))
        assert [prior.loss, naive.loss] == pytest.approx(losses[:2].mean(axis=1), abs=1e-6)
        assert getattr(found, f"{head}_loss") == pytest.approx(losses[2].mean(), abs=1e-6)
        assert prior.behind == pytest.approx(prior.loss - losses[2].mean(), abs=1e-6)
    train_split = small_log.split("train")
    assert found.rows == train_split.rows
    assert (found.clicks, found.conversions) == (train_split.clicks, train_split.conversions)
    # And it predicts with them.
    members = alone(small_log, tmp_path / "whole")
    shares = [found.of("cvr")[0].weight, *[found.of("cvr")[1].weight / 2] * 2]
    p, _ = probabilities(members, small_log, "test", "cvr")
    q, _ = probabilities([run.load()], small_log, "test", "cvr")
    assert q[:, 0] == pytest.approx(p @ shares, abs=1e-6)


def test_members_and_all_else_are_those_of_given_weights(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    given = train(small_log, stacked(weights="given"), tmp_path / "given")
    mine, weights = saved_weights(run.folder), saved_weights(given.folder)
    assert not any(name.startswith("learnt") for name in weights)
    assert identical(weights, {name: mine[name] for name in mine if name in weights})
    with pytest.raises(InputError, match="train click_prior or mean_of/stacked"):
        given.explain()
    assert "weights" not in given.history[0]
    assert [m["seed"] for m in run.history[0]["members"]] == [3, 4, 5], "not those of folds"


def test_the_validation_split_chooses_too(small_log: PreparedLog, tmp_path: Path) -> None:
    # With dropout, which has no part in predictions.
    made = train(small_log, stacked("dropout=0.5", weights="validation"), tmp_path / "run")
    members = [member.eval() for member in made.load().members]
    for head in HEADS:
        p, y = probabilities(members, small_log, "valid", head)
        assert made.explain().of(head)[0].weight == pytest.approx(most_likely(p, y), abs=1e-4)
    assert made.explain().conversions == small_log.split("valid").conversions


def test_a_killed_fit_trains_nothing_twice(
    run: Run, small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    init = members_module.MemberTrainer.__init__
    left = [5]

    def counting(trainer: Any, *given: Any) -> None:
        *rest, inner = given

        def one(data: Any, settings: Any, out: Path, **named: Any) -> Run:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            begun.append(out.name)
            return inner(data, settings, out, **named)

        init(trainer, *rest, one)

    monkeypatch.setattr(members_module.MemberTrainer, "__init__", counting)
    with pytest.raises(KeyboardInterrupt):
        train(small_log, stacked(), tmp_path / "run")
    left[0] = 100
    again = train(small_log, stacked(), tmp_path / "run")
    assert len(begun) == len(set(begun)) == 12
    assert identical(saved_weights(run.folder), saved_weights(again.folder))
    assert not list(again.folder.glob("stages*"))


def test_a_bundle_says_the_same_and_commands_tell_the_weights(
    run: Run, small_log: PreparedLog, tmp_path: Path
) -> None:
    bundle = export(run, tmp_path / "bundle")
    assert bundle.info.parity.largest_difference < 1e-6
    assert calibrate(run, small_log, "platt").document.fitted_on.clicks > 0
    told = commands.succeed("explain", run.folder)
    assert told.startswith("pCTR is 0.")
    assert "naive*2" in told
    assert "their mean" in told
    plain = json.loads(commands.succeed("explain", run.folder, "--json"))
    assert [one["weight"] for one in plain["members"]] == [
        one.weight for one in run.explain().members
    ]


@pytest.mark.parametrize("weights", ["cross_fitted", "validation"])
def test_a_log_with_an_exposure_of_which_negatives_were_left_out(
    weights: str, tmp_path: Path
) -> None:
    log = exposed_log(tmp_path / "log", negative_rate=0.5)
    made = train(log, stacked("mean=logit", "folds=2", weights=weights), tmp_path / "run")
    found = made.explain()
    assert [sum(one.weight for one in found.of(head)) for head in HEADS] == pytest.approx([1, 1])
    if weights == "validation":
        # The mean is one of what is corrected for all impressions, of which this split has all.
        members = [member.eval() for member in made.load().members]
        for member in members:
            member.ctr_shift = np.log(0.5)
        for head in HEADS:
            p, y = probabilities(members, log, "valid", head)
            expected = most_likely(p, y, logit=True)
            assert found.of(head)[0].weight == pytest.approx(expected, abs=1e-4)
    assert export(made, tmp_path / "bundle").info.parity.largest_difference < 1e-6


def test_unclicked_rows_stand_for_what_pctr_is_of(tmp_path: Path) -> None:
    log = exposed_log(tmp_path / "log", rows=12_000, negative_rate=0.4)
    rates = {}
    for split in ("train", "valid"):
        for entire in (False, True):
            found = HeldOut(log, split, 10**6, entire).recorded()
            click, weight = found["ctr_label"], found["ctr_weight"]
            rates[split, entire] = float((click * weight).sum() / weight.sum())
            assert (found["cvr_weight"] == 1).all()
    valid, left = log.split("valid"), log.split("train")
    assert rates["train", False] == pytest.approx(left.clicks / left.rows)
    assert rates["valid", True] == pytest.approx(valid.clicks / valid.rows)
    assert rates["train", True] == pytest.approx(rates["valid", True], abs=0.03)
    assert rates["valid", False] == pytest.approx(rates["train", False], abs=0.04)
    assert rates["train", False] > rates["train", True] + 0.1
    few = HeldOut(log, "train", 500, False).recorded()
    assert len(few["ctr_label"]) == 500
    assert len(few["cvr_label"]) == left.clicks


@pytest.mark.parametrize("weights", ["cross_fitted", "validation"])
def test_it_keeps_what_every_fitted_method_has_to(weights: str, tmp_path: Path) -> None:
    trained: dict[tuple[str, str, int], Run] = {}

    def train_member(member: Member, log: PreparedLog, seed: int) -> Method[Any]:
        key = (member.method, f"{log.folder.name} {log.fingerprint}", seed)
        if key not in trained:
            sets = FAST if member.method == "naive" else ["threads=1"]
            settings = RunSettings.make(member.method, overrides=sets, seed=seed)
            trained[key] = train(log, settings, tmp_path / f"run-{len(trained)}")
        return trained[key].load()

    options = {"members": ["click_prior/no_factors", "logistic"], "weights": weights, "folds": 2}
    found = check_fitted_method(MeanOf, options=[options], train_member=train_member)
    assert found["goes on after a kill"] == (8 if weights == "cross_fitted" else 0)
    assert found["exposure moves clicks alone"] > 0
    assert len(trained) == (12 if weights == "cross_fitted" else 4)


def one_group(folder: Path, buyers: str) -> PreparedLog:
    """A log of which all conversions are one user's, or are all in the training split."""
    rng = np.random.default_rng(0)
    rows = 1_500
    user, click = rng.integers(0, 40, rows), rng.random(rows) < 0.4
    buy = click & (user == 7 if buyers == "one user" else rng.random(rows) < 0.3)
    frame = pl.DataFrame({"user": user, "shop": rng.integers(0, 9, rows), "click": click})
    schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["shop"],
                              "group": "user"})  # fmt: skip
    frame = frame.with_columns(buy=pl.Series(buy))
    never = frame.filter(~pl.col("buy"))
    sources = FrameSource(frame), FrameSource(never.head(200)), FrameSource(never.tail(200))
    return prepare(LogSplits(schema, sources[0], test=sources[1], valid=sources[2]), folder)


@pytest.mark.parametrize(
    ("buyers", "weights", "told", "mend"),
    [
        ("one user", "cross_fitted", "members would have none to learn from", "given"),
        ("many", "validation", "no conversion in the validation split", "cross_fitted"),
    ],
)
def test_what_cannot_choose_is_told_in_one_line_and_mended(
    buyers: str, weights: str, told: str, mend: str, tmp_path: Path
) -> None:
    log = one_group(tmp_path / "log", buyers)
    sets = ["members=[click_prior,logistic]", "threads=1"]

    def settings(weights: str) -> RunSettings:
        return RunSettings.make("mean_of", overrides=[*sets, f"weights={weights}"])

    with pytest.raises(InputError, match=told) as error:
        train(log, settings(weights), tmp_path / "run")
    assert mend in str(error.value)
    assert train(log, settings(mend), tmp_path / "run")


def test_one_member_has_nothing_to_be_weighed_against() -> None:
    with pytest.raises(InputError, match="weights=validation of one member, naive\\*2: name"):
        RunSettings.make("mean_of", overrides=["weights=validation", "members=[naive*2]"])
