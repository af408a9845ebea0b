"""`gbdt`: its trees in torch against LightGBM's own predictions, and what it has to keep."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.exposed_log import EFFECT, exposed_log
from helpers.runs import saved_weights
from postclick import export, train
from postclick.data.lookup.encoded_rows import Layout
from postclick.data.lookup.row_arrays import batch_of
from postclick.data.prepared import BaseRates, InputSpec
from postclick.errors import InputError
from postclick.experiments.comparison.plan import Plan
from postclick.methods import Gbdt
from postclick.methods.gbdt import GbdtConfig
from postclick.methods.networks.boosted_trees import BoostedTrees
from postclick.methods.tree_codes import value_codes
from postclick.nn.config import NetworkConfig
from postclick.nn.exposure import GAIN
from postclick.runs.settings import RunSettings
from postclick.serving.bundle.parity import random_rows
from postclick.testing import check_fitted_method, fake_log

needs_lightgbm = pytest.mark.skipif(
    find_spec("lightgbm") is None, reason="LightGBM, of the extra gbdt, is not installed"
)


def made_up(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two categories, three numbers on and between thresholds, and labels that need all of them."""
    rng = np.random.default_rng(seed)
    category, flag = rng.integers(0, 255, rows), rng.integers(0, 3, rows)
    numbers = rng.normal(size=(rows, 3)).round(1)
    # Missing numbers are 0, as `prepare` leaves them.
    numbers[rng.random(rows) < 0.2, 0] = 0
    z = np.sin(category) + (flag == 1) - numbers[:, 0] * numbers[:, 1] + (numbers[:, 2] > 0.3)
    label = rng.random(rows) < 1 / (1 + np.exp(-2 * z))
    x = np.column_stack([category, flag, numbers]).astype(np.float32)
    return x, label.astype(np.float32)


@needs_lightgbm
@pytest.mark.parametrize("depth", [3, 10])
@pytest.mark.parametrize("categories", [2, 0])
def test_trees_are_lightgbms_to_the_last_digits(depth: int, categories: int) -> None:
    import lightgbm

    from postclick.methods.tree_fit import tree_tensors

    x, label = made_up(4_000)
    options: dict[str, Any] = {"objective": "binary", "num_leaves": 40, "max_depth": depth}
    options |= {"use_missing": False, "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}
    data = lightgbm.Dataset(x, label, categorical_feature=list(range(categories)))
    booster = lightgbm.train(options, data, 60)
    shape = BoostedTrees(trees=70, leaves=40, depth=depth, categories=categories)
    count = 55
    shape.take(tree_tensors(booster, count, shape))
    assert shape.used == count
    assert bool(shape.set_of.any()) == bool(categories)
    # Unseen rows; categories that training never saw; numbers exactly on the thresholds.
    rows = np.concatenate([x, made_up(500, seed=1)[0]])
    rows[-100:, 0] = np.arange(155, 255)
    # LightGBM takes all numbers within 1e-35 for 0, beside which it has thresholds.
    thresholds = shape.threshold[shape.threshold.abs() > 1e-30].numpy()
    rows[: len(thresholds), 2] = thresholds[: len(rows)]
    beside = [np.nextafter(rows, np.float32(to)) for to in (9, -9)]
    for nudged in (rows, *beside):
        nudged[:, :2] = rows[:, :2]
        nudged[abs(nudged) < 1e-30] = 0
        expected = booster.predict(nudged, raw_score=True, num_iteration=count)
        assert expected.std() > 0.5
        found = shape(torch.from_numpy(nudged)).numpy()
        assert found == pytest.approx(expected, abs=1e-6)


@needs_lightgbm
def test_it_keeps_what_a_fitted_method_has_to_keep() -> None:
    found = check_fitted_method(Gbdt, options=({"trees": 30}, {"leaves": 3, "depth": 2}))
    assert all(found.values())
    assert found.keys() >= {"exposure moves clicks alone", "goes on after a kill"}


@needs_lightgbm
def test_a_run_is_loaded_judged_and_exported(tmp_path: Path) -> None:
    """What a bundle computes is compared with torch by `export` itself, to 1e-5."""
    log = fake_log(tmp_path / "log", rows=3_000)
    run = train(log, RunSettings.make("gbdt", overrides=["trees=60"]), tmp_path / "run")
    method = run.load()
    assert isinstance(method, Gbdt)
    assert 1 <= method.trees_of("ctr").used <= 60
    value = run.evaluate(log, "valid").value("ctr_auc")
    assert value is not None
    assert value > 0.55
    again = train(log, run.settings, tmp_path / "again")
    weights = saved_weights(run.folder)
    assert all(torch.equal(w, weights[n]) for n, w in saved_weights(again.folder).items())
    if find_spec("onnxruntime") is not None and find_spec("onnxscript") is not None:
        bundle = export(run, tmp_path / "bundle", user_features=["user", "history"])
        assert bundle.info.parity.largest_difference < 1e-5


@needs_lightgbm
def test_rows_count_by_their_weights(tmp_path: Path) -> None:
    """Integer weights are copies of rows: leaves say the same."""
    import lightgbm

    from postclick.methods.tree_fit import TreeRows

    x, label = made_up(800)
    weight = np.random.default_rng(1).integers(1, 4, len(x))
    zero = np.full(len(x), -0.3, np.float32)
    weighed = TreeRows(x, zero, label, weight.astype(np.float32))
    index = np.repeat(np.arange(len(x)), weight)
    copies = TreeRows(x[index], zero[index], label[index], None)
    options = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1}
    options |= {"max_bin": 5_000, "min_data_in_bin": 1, "num_leaves": 6}
    scores = [
        lightgbm.train(options, rows.dataset(0, None), 5).predict(x, raw_score=True)
        for rows in (weighed, copies)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[0].std() > 0.1


@needs_lightgbm
def test_the_exposure_is_found_beside_the_features(tmp_path: Path) -> None:
    log = exposed_log(tmp_path / "log", rows=6_000)
    run = train(log, RunSettings.make("gbdt", overrides=["trees=80"]), tmp_path / "run")
    effect = GAIN * run.load().exposure.tables["ctr"][1:, 0].detach()
    # Good shops stand at the top: the slots' own log-odds are farther apart than these.
    assert np.sort(effect.numpy()) == pytest.approx(np.sort(EFFECT), abs=0.35)


def test_codes_are_ranks_of_values_and_flags_of_lists(tmp_path: Path) -> None:
    log = fake_log(tmp_path / "log", rows=1_500)
    table, rows = value_codes(log, log.inputs), log.rows("train")
    first = 0
    for field, size in enumerate(log.inputs.field_sizes):
        codes = table[first : first + size, 0].numpy()
        counts = np.bincount(rows.ids[:, field].numpy() - first, minlength=size)
        assert codes[0] == 0
        kept = np.argsort(codes)[(codes == 0).sum() :]
        assert (np.diff(counts[kept]) <= 0).all(), "the more frequent, the lower"
        assert codes.max() == len(kept) == min(254, (counts[1:] > 0).sum())
        assert not table[first : first + size, 1:].any()
        first += size
    (size,) = log.inputs.bag_sizes
    lists = table[first:]
    assert torch.equal(lists.sum(0), torch.ones(lists.shape[1]))
    assert lists.shape[1] == min(32, size - 1)


@pytest.mark.parametrize(
    ("inputs", "width"),
    [
        (InputSpec((4, 5), (), 0), 2),
        (InputSpec((), (), 3), 3),
        (InputSpec((), (6, 3), 0), 2 * 5),
        (InputSpec((4, 5), (50,), 2, (1,), ((8, 3),)), 2 + 32 + 2 + 8),
    ],
)
def test_trees_read_categories_flags_and_numbers(inputs: InputSpec, width: int) -> None:
    method = Gbdt(GbdtConfig(trees=3), NetworkConfig(), inputs, BaseRates(0.2, 0.1), 4).eval()
    codes = torch.randn(method.embedding.table.shape).abs()
    method.embedding.table.data.copy_(codes)
    rng = np.random.default_rng(0)
    layout = Layout(
        tuple(f"id_{k}" for k in range(len(inputs.field_sizes))),
        tuple(f"number_{k}" for k in range(inputs.numeric_width)),
        tuple(f"bag_{k}" for k in range(len(inputs.bag_sizes))),
    )
    batch = batch_of(random_rows(inputs, layout, 20, rng), inputs)
    found = method.features(method.embed(batch))
    assert found.shape == (20, width)
    fields = len(inputs.field_sizes)
    assert torch.equal(found[:, :fields], codes[batch.ids, 0])
    assert torch.equal(found[:, width - inputs.numeric_width :], batch.numeric)
    flags = found[:, fields : width - inputs.numeric_width]
    assert set(flags.unique().tolist()) <= {0.0, 1.0}
    assert method.predict(batch).ctr.sigmoid().tolist() == pytest.approx([0.2] * 20)


def test_fitting_without_lightgbm_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postclick.extras.find_spec", lambda name: None)
    log = fake_log(tmp_path / "log", rows=1_000)
    with pytest.raises(InputError, match=r"^method gbdt needs lightgbm: pip install 'postclick\["):
        train(log, "gbdt", tmp_path / "run")
    assert not list(tmp_path.glob("run*"))
    with pytest.raises(InputError, match="method gbdt needs lightgbm"):
        Plan.make(["naive", "gbdt"], seeds=1)
    assert "gbdt" not in Plan.make(["all"], seeds=1).labels


@needs_lightgbm
def test_all_methods_are_those_whose_packages_are_installed() -> None:
    assert "gbdt" in Plan.make(["all"], seeds=1).labels


@needs_lightgbm
def test_a_log_without_a_click_to_stop_by_is_refused(tmp_path: Path) -> None:
    log = fake_log(tmp_path / "log", rows=1_000)
    split = log.manifest.splits["valid"]
    log.manifest.splits["valid"] = split.model_copy(update={"clicks": 0})
    with pytest.raises(InputError, match="no click in the validation split"):
        train(log, "gbdt", tmp_path / "run")
