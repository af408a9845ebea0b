"""`ceiling` on a small world, against the same runs made one by one."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from helpers.commands import run, succeed
from postclick.data.write.prepare import prepare
from postclick.datasets.simulated import simulate
from postclick.errors import InputError
from postclick.experiments.ceiling import Ceiling, ceiling
from postclick.experiments.ceiling.train_arm import arm_splits
from postclick.judging.predictions import read_predictions
from postclick.methods import Naive
from postclick.runs.settings import RunSettings
from postclick.training.train import train

WORLD = {"rows": 4_000, "ctr": 0.3, "cvr": 0.3}
OPTIONS = ["--rows", "4000", "--ctr", "0.3", "--cvr", "0.3", "--draws", "1", "--workers", "1"]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def found(scratch: Path) -> Ceiling:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        return ceiling("hidden", **WORLD, draws=2, workers=1, seed=4)


def test_nothing_is_left_behind(found: Ceiling, scratch: Path) -> None:
    assert found.seeds == (4, 5)
    assert list(scratch.iterdir()) == []


def test_arms_learn_from_as_many_rows_as_they_say(found: Ceiling) -> None:
    for seed in found.seeds:
        arms = {one.arm: one for one in found.figures if one.seed == seed}
        clicked, everything = arms["clicked"], arms["all"]
        assert arms["random_rows"].rows == clicked.rows
        assert arms["random_conversions"].conversions == clicked.conversions
        assert everything.rows == 2_700 - 1
        assert clicked.conversions < everything.conversions


def test_figures_are_those_of_the_same_run_made_by_hand(found: Ceiling, tmp_path: Path) -> None:
    """AUC by comparing all pairs of test rows, one row as its true CVR positive."""
    log = simulate("hidden", **WORLD, seed=5)
    prepared = prepare(arm_splits(log, "random_conversions", 5), tmp_path / "data", seed=5)
    fixed = ["threads=1", "patience=null", "keep=last", "backbone=share_bottom"]
    done = train(prepared, RunSettings.make("naive", overrides=fixed, seed=5), tmp_path / "run")
    done.evaluate(prepared, keep_predictions=True)
    kept = read_predictions(done.folder / "predictions" / "test.parquet")
    score = kept["cvr_logit"].to_numpy().astype(np.float64)
    windows = [window for _, window, _ in prepared.sequential("test", 10_000)]
    truth = np.asarray(windows[0].truth["true_cvr"], np.float64)
    assert sorted(truth) == pytest.approx(sorted(log.test["true_cvr"]), abs=1e-6)
    higher = (score[:, None] > score) + 0.5 * (score[:, None] == score)
    pairs = truth[:, None] * (1 - truth)
    expected = (pairs * higher).sum() / pairs.sum()
    bias = (1 / (1 + np.exp(-score))).mean() / truth.mean() - 1
    mine = found.by_draw("random_conversions")[1]
    assert [mine.auc, mine.bias] == pytest.approx([expected, bias], abs=1e-5)


def test_a_fitted_method_and_options_of_a_world() -> None:
    small = {"rows": 3_000, "ctr": 0.3, "cvr": 0.3, "draws": 1, "workers": 1}
    options = {"exposure": True, "position_sd": 1.0}
    found = ceiling("hidden", **small, method="click_prior/no_factors", options=options)
    assert found.method == "click_prior/no_factors"
    assert found.settings["options"] == options
    assert found.selection.low is None
    assert all(0.5 < one.auc < 1 for one in found.figures)


@pytest.mark.slow
def test_side_by_side_is_the_same(found: Ceiling) -> None:
    assert ceiling("hidden", **WORLD, draws=2, workers=2, seed=4, method=Naive) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"draws": 0}, "draws is 0: give 1 or more"),
        ({"world": "confunded"}, "did you mean 'confounded'"),
        ({"options": {"s": 1.0}}, "its options are position_sd, exposure"),
        ({"method": "naiv"}, "did you mean 'naive'"),
        ({"rows": 10}, "rows"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ceiling(**{"world": "confounded", "workers": 1, **changes})  # type: ignore[arg-type]


def test_the_command_says_the_sentences_first() -> None:
    lines = succeed("ceiling", "confounded", *OPTIONS).splitlines()
    assert lines[0].startswith("Selection costs ")
    assert lines[1].startswith("Labels cost ")
    assert "naive on confounded" in lines[2]
    assert "against the true CVR" in lines[-2]


def test_json_has_every_draw() -> None:
    found = json.loads(succeed("ceiling", "confounded", *OPTIONS, "--json"))
    assert len(found["draws"]) == 4
    assert len(found["sentences"]) == 2
    assert found["costs"]["labels"]["mean"] == pytest.approx(
        found["arms"]["all"]["auc"]["mean"] - found["arms"]["random_conversions"]["auc"]["mean"]
    )


def test_an_unknown_world_is_one_line() -> None:
    done = run("ceiling", "confunded")
    assert done.code == 2
    assert done.err.count("\n") == 1
