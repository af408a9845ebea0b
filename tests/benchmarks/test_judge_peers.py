"""What all peers are given and what they hand over, and the judging of it from end to end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from postclick.data.schema import LogSchema

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = BENCHMARKS / "peer_models"
# Trained here where they are installed: name of the script, and what it imports.
PEERS = {
    "torch_rechub": "torch_rechub",
    "deepctr_torch": "deepctr_torch",
    "nextrec": "nextrec",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
}
SCHEMA = LogSchema.parse(
    {
        "click": "click",
        "conversion": "conversion",
        "categorical": [{"name": "shop", "min_count": 2}, "city"],
        "numeric": [{"name": "price", "transform": "log1p"}, "rating"],
    }
)


@pytest.fixture(autouse=True)
def bare_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Benchmarks import each other by bare names, peers' scripts what lies beside them."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.syspath_prepend(SCRIPTS)
    yield
    for name in ("plain_log", "two_classifiers", "train_deepctr_torch", "judge_peers"):
        sys.modules.pop(name, None)


def raw(rows: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rating = rng.normal(3, 1, rows)
    click = rng.random(rows) < 1 / (1 + np.exp(3 - rating))
    return pl.DataFrame(
        {
            "shop": [f"s{k}" for k in (rng.zipf(1.5, rows) % 90)],
            "city": rng.choice(["x", "y", "z"], rows),
            "price": rng.lognormal(2, 1, rows),
            "rating": pl.Series(rating).set(pl.Series(rng.random(rows) < 0.1), None),
            "click": click.astype(np.int8),
            "conversion": (click & (rng.random(rows) < 0.5)).astype(np.int8),
        }
    )


@pytest.fixture
def splits() -> dict[str, pl.DataFrame]:
    return {name: raw(rows, k) for k, (name, rows) in enumerate(SIZES.items())}


SIZES = {"train": 900, "valid": 300, "test": 200}


@pytest.fixture
def plain(splits: dict[str, pl.DataFrame], tmp_path: Path) -> Path:
    import_module("peer_models.encode").write_plain_log(SCHEMA, splits, tmp_path / "plain")
    return tmp_path / "plain"


def read(folder: Path) -> Any:
    return import_module("plain_log").PlainLog.read(folder)


def test_ids_are_those_of_values_that_training_has_often_enough(
    plain: Path, splits: dict[str, pl.DataFrame]
) -> None:
    log = read(plain)
    for name, least in (("shop", 2), ("city", 1)):
        values = splits["train"][name].to_list()
        known = sorted(v for v in set(values) if values.count(v) >= least)
        assert log.sizes[name] == len(known) + 1
        for split in SIZES:
            ids = getattr(log, split).ids[name]
            expected = [known.index(v) + 1 if v in known else 0 for v in splits[split][name]]
            assert ids.tolist() == expected
    assert (log.test.ids["shop"] == 0).any()


def test_numbers_are_scaled_by_training_rows_and_missing_ones_are_the_mean(
    plain: Path, splits: dict[str, pl.DataFrame]
) -> None:
    log = read(plain)
    for name, of in (("price", np.log1p), ("rating", np.asarray)):
        train = of(splits["train"][name].drop_nulls().to_numpy())
        test = of(splits["test"][name].to_numpy())
        expected = np.nan_to_num((test - train.mean()) / train.std(ddof=1))
        np.testing.assert_allclose(log.test.numbers[name], expected, atol=1e-6)


def test_bins_follow_the_numbers_and_hold_about_as_many_rows(plain: Path) -> None:
    log = read(plain)
    order = np.argsort(log.train.numbers["price"])
    bins = log.train.bins["price_bin"][order]
    assert (np.diff(bins) >= 0).all()
    assert log.bin_sizes["price_bin"] == 20
    assert np.bincount(bins).tolist() == pytest.approx([45] * 20, abs=1)
    # A tenth of the ratings are missing and share one bin.
    assert np.bincount(log.train.bins["rating_bin"]).max() >= 90


def test_test_labels_are_handed_to_nobody(plain: Path) -> None:
    log = read(plain)
    assert pl.read_parquet(plain / "test.parquet").columns == [
        *("shop", "city", "price", "rating", "price_bin", "rating_bin")
    ]
    assert log.valid.labels.shape == (300, 2)
    with pytest.raises(ValueError, match="test labels are not handed to peers"):
        _ = log.test.labels


def test_pcvr_of_a_product() -> None:
    pcvr_from_ctcvr = import_module("plain_log").pcvr_from_ctcvr
    pctr, pcvr = np.array([0.5, 0.1, 1e-9, 0.0]), np.array([0.25, 1.0, 0.3, 0.7])
    np.testing.assert_allclose(pcvr_from_ctcvr(pctr, pctr * pcvr), [0.25, 1.0, 0.3, 0.0])


def test_nll_of_the_second_of_two_tasks() -> None:
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 2, (50, 2)), rng.random((50, 2))
    expected = torch.nn.functional.binary_cross_entropy(
        torch.tensor(p[:, 1]), torch.tensor(labels[:, 1]).double()
    )
    found = import_module("train_deepctr_torch").ctcvr_nll(labels.reshape(-1), p.reshape(-1))
    assert found == pytest.approx(expected.item())


def test_decay_is_of_embeddings_alone() -> None:
    adam = import_module("plain_log").adam
    model = torch.nn.ModuleDict(
        {"embedding_dict": torch.nn.Embedding(3, 2), "tower": torch.nn.Linear(2, 1)}
    )
    tables, others = adam(model, 1e-5, 1e-3).param_groups
    assert (tables["weight_decay"], others["weight_decay"]) == (1e-3, 0)
    assert [len(part["params"]) for part in (tables, others)] == [1, 2]
    (whole,) = adam(model, 1e-5, None).param_groups
    assert whole["weight_decay"] == 1e-5


def test_conversions_are_learned_from_clicked_rows_alone(plain: Path) -> None:
    log, trees = read(plain), import_module("two_classifiers")
    click, conversion = log.train.labels.T

    class Constant:
        def __init__(self, target: Any) -> None:
            kept, self.labels = target.of(log.train)
            assert self.labels.size == kept.sum()

        def predict_proba(self, rows: int) -> Any:
            return np.tile([1 - self.labels.mean(), self.labels.mean()], (rows, 1))

    scores = trees.two_classifiers(Constant, lambda model: model.labels.size, 200)
    assert scores.pctr.tolist() == pytest.approx([click.mean()] * 200)
    assert scores.pcvr.tolist() == pytest.approx([conversion[click > 0].mean()] * 200)
    assert scores.rounds == f"900 and {click.sum():.0f} trees"


def test_a_peer_that_is_not_installed_is_said(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_x.py", str(plain), str(tmp_path / "out.parquet")])

    def fit(log: Any, settings: Any) -> Any:
        import no_such_library  # noqa: F401

    import_module("plain_log").run("no-such-library", fit)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said == {"left_out": "No module named 'no_such_library'"}
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_scores_every_test_row(name: str, plain: Path, tmp_path: Path) -> None:
    if find_spec(PEERS[name]) is None:
        pytest.skip(f"{PEERS[name]} is not installed")
    out = tmp_path / "scores.parquet"
    command = [sys.executable, SCRIPTS / f"train_{name}.py", plain, out]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    if "left_out" in said:
        pytest.skip(f"{name} cannot be imported: {said['left_out']}")
    scores = pl.read_parquet(out)
    assert scores.shape == (200, 2)
    for kind in ("pctr", "pcvr"):
        assert scores[kind].is_between(0, 1).all()
        assert scores[kind].n_unique() > 1
    assert said["rounds"]


def judge_peers(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, BENCHMARKS / "judge_peers.py", *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


@pytest.mark.slow
def test_models_are_judged_on_the_rows_that_none_has_seen(tmp_path: Path) -> None:
    rates = ("--rows", 4000, "--ctr", 0.3, "--cvr", 0.3)
    out = tmp_path / "peers"
    done = judge_peers("--out", out, *rates, "--only", "naive,lightgbm")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    models = [name for name, said in found["models"].items() if "left_out" not in said]
    assert set(found["models"]) == {"postclick_naive", "lightgbm"}
    assert list(found["lines"]) == models
    table = pl.read_parquet(out / "predictions.parquet")
    # 1,000 of 4,000 rows are the test; the bundle's scores are those of the raw log, in its order.
    assert table.height == 1000
    truth = pl.read_parquet(out / "log" / "test.parquet")["true_cvr"]
    assert table["true_cvr"].equals(truth)
    bias = (table["pcvr_postclick_naive"] - truth).mean()
    assert float(found["lines"]["postclick_naive"]["true bias"]) == pytest.approx(bias, abs=6e-5)
    assert found["answer"]["sentence"] in done.stdout
    # Once more: what is there is judged again and not trained again.
    again = judge_peers("--out", out, *rates, "--only", "naive")
    assert json.loads(again.stdout.splitlines()[-1])["lines"].keys() == {"postclick_naive"}
    other = judge_peers("--out", out, "--rows", 5000, "--only", "naive")
    assert other.returncode == 2
    assert '"rows": 4000' in other.stderr and "give another --out" in other.stderr


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    done = judge_peers("--out", tmp_path / "peers", "--only", "naive,xgboost")
    assert done.returncode == 2
    assert "--only knows no xgboost; there are naive, esmm, torch_rechub" in done.stderr
    assert not (tmp_path / "peers").exists()
