"""A search on a small log: what it writes, and that it never looks at the test split."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

import postclick
from helpers.commands import run, succeed
from helpers.searches import FAST, Lines
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.tuning.result import Tuning
from postclick.experiments.tuning.search_space import SearchSpace
from postclick.experiments.tuning.tune import tune
from postclick.runs.kept_epoch import best_value
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings, load_config
from postclick.training.train import train

TRIALS = 4


@pytest.fixture(scope="module")
def unseen(small_log: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    """The small log without its test rows."""
    folder = tmp_path_factory.mktemp("unseen") / "data"
    shutil.copytree(small_log.folder, folder)
    shutil.rmtree(folder / "test")
    assert small_log.split("test").rows > 0
    with pytest.raises(InputError):
        PreparedLog(folder).rows("test")
    return PreparedLog(folder)


@pytest.fixture(scope="module")
def tuned(unseen: PreparedLog, tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    out = tmp_path_factory.mktemp("tune") / "tuned"
    return tune(unseen, "naive", out, trials=TRIALS, overrides=FAST, workers=1, keep_best=True)


def test_the_frame_has_all_trials(tuned: Tuning) -> None:
    frame = pl.read_parquet(tuned.folder / "trials.parquet")
    assert frame.equals(tuned.trials)
    names = ["training.lr", "network.dropout"]
    names += [f"options.{name}" for name in ("reduction", "cvr_weight", "rank_weight")]
    assert frame.columns == ["number", "state", "value", "epochs", "seconds", "reason", *names]
    assert frame["number"].to_list() == list(range(TRIALS))
    assert set(frame["state"]) <= {"complete", "pruned", "failed"}
    assert frame["training.lr"].n_unique() == TRIALS
    assert frame["epochs"].to_list() == [1] * TRIALS
    assert (frame["seconds"] > 0).all()


def test_the_first_trial_has_the_defaults(tuned: Tuning) -> None:
    first = tuned.trials.row(0, named=True)
    defaults = RunSettings.make("naive")
    assert first["training.lr"] == defaults.training.lr
    assert first["options.cvr_weight"] == 1.0
    assert first["options.reduction"] == "mean_clicked"
    assert tuned.default_value == first["value"]
    assert tuned.gain == abs(tuned.value - first["value"])


def test_the_best_is_the_best(tuned: Tuning) -> None:
    complete = tuned.trials.filter(pl.col("state") == "complete")
    assert tuned.value == complete["value"].min()
    row = tuned.trials.row(tuned.best_trial, named=True)
    assert row["value"] == tuned.value
    assert row["training.lr"] == tuned.best.training.lr
    assert row["options.cvr_weight"] == tuned.best.options["cvr_weight"]


def test_train_takes_best_yaml_and_ends_where_the_trial_did(
    tuned: Tuning, unseen: PreparedLog, tmp_path: Path
) -> None:
    settings = RunSettings.make(config=load_config(tuned.folder / "best.yaml"))
    assert settings.to_yaml() == tuned.best.to_yaml()
    again = train(unseen, settings, tmp_path / "run")
    assert best_value(again, "cvr_nll") == tuned.value
    kept = Run(tuned.folder / "best")
    assert kept.settings.to_yaml() == settings.to_yaml()
    weights = "model.safetensors"
    assert (kept.folder / weights).read_bytes() == (again.folder / weights).read_bytes()


def test_nothing_but_results_and_the_journal_is_kept(tuned: Tuning) -> None:
    kept = {path.name for path in tuned.folder.iterdir()}
    assert kept == {"best", "best.yaml", "journal.jsonl", "search.json", "trials.parquet"}
    for line in (tuned.folder / "journal.jsonl").read_text().splitlines():
        assert isinstance(json.loads(line), dict)


def test_repeating_adds_the_trials_that_are_missing_and_draws_as_if_at_once(
    tuned: Tuning, unseen: PreparedLog, tmp_path: Path
) -> None:
    first = tune(unseen, "naive", tmp_path / "t", trials=2, overrides=FAST, workers=1)
    assert first.trials.height == 2
    reporter = Lines()
    both = tune(
        unseen, "naive", tmp_path / "t", trials=TRIALS, overrides=FAST, workers=1, reporter=reporter
    )
    shown = [c for c in both.trials.columns if c != "seconds"]
    assert both.trials.select(shown).equals(tuned.trials.select(shown))
    assert sum("epoch 1: loss" in line for line in reporter.said) == TRIALS - 2
    reporter = Lines()
    same = tune(
        unseen, "naive", tmp_path / "t", trials=TRIALS, overrides=FAST, workers=1, reporter=reporter
    )
    assert same.trials.equals(both.trials)
    assert reporter.said == []


def test_other_trials_with_another_seed(tuned: Tuning, unseen: PreparedLog, tmp_path: Path) -> None:
    other = tune(unseen, "naive", tmp_path / "t", trials=2, seed=1, overrides=FAST, workers=1)
    assert other.trials["training.lr"][0] == tuned.trials["training.lr"][0]
    assert other.trials["training.lr"][1] != tuned.trials["training.lr"][1]
    assert other.best.seed == 1


def test_another_search_does_not_mix_with_the_one_that_is_there(
    tuned: Tuning, unseen: PreparedLog, small_raw: object, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    shutil.copytree(tuned.folder, out)
    for change in ({"seed": 5}, {"metric": "cvr_auc"}, {"overrides": (*FAST, "dropout=0.2")}):
        given = {"trials": 5, "overrides": FAST, "workers": 1, **change}
        with pytest.raises(InputError, match="another method, metric or seed.*another out"):
            tune(unseen, "naive", out, **given)  # type: ignore[arg-type]
    search = json.loads((out / "search.json").read_text())
    (out / "search.json").write_text(json.dumps({**search, "data_fingerprint": "other"}))
    with pytest.raises(InputError, match="another log"):
        tune(unseen, "naive", out, trials=5, overrides=FAST, workers=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"metric": "cvr_pcoc"}, "metric 'cvr_pcoc' cannot be tuned; there are cvr_nll"),
        ({"overrides": ["monitor=ctr_auc"]}, "give metric"),
        ({"method": "nobody"}, "there is no method 'nobody'"),
        ({"overrides": ["tower=[8]"], "method": "evi"}, "transfer_layers=3"),
        ({"track": ["wandb"]}, "there is no 'wandb'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    change: dict[str, object], message: str, small_log: PreparedLog, tmp_path: Path
) -> None:
    given = {"method": "naive", "trials": 2, "workers": 1, **change}
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        tune(small_log, out=tmp_path / "t", **given)  # type: ignore[arg-type]
    assert not (tmp_path / "t" / "journal.jsonl").exists() or "track" in change


def test_a_log_without_validation_rows_is_refused(small_log: PreparedLog, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(small_log.folder, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["splits"]["valid"], manifest["checksum"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="no validation split, on which settings are judged"):
        tune(folder, "naive", tmp_path / "t", trials=1)


def test_without_optuna_it_is_one_line(
    small_log: PreparedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from postclick import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"tuning needs optuna: pip install 'postclick\[tune\]'"):
        tune(small_log, "naive", tmp_path / "t")


def test_length_is_tuned_unless_it_is_set(small_log: PreparedLog) -> None:
    free = SearchSpace.make("naive", small_log, "cvr_nll", 0, [])
    training = free.base.training
    assert (training.epochs, training.patience, training.keep) == (4, 1, "best")
    kept = SearchSpace.make("naive", small_log, "cvr_nll", 0, ["epochs=3", "patience=null"])
    assert (kept.base.training.epochs, kept.base.training.patience) == (3, None)
    assert (training.threads, training.monitor) == (1, "cvr_nll")
    with pytest.raises(InputError, match="every setting that could be tuned is set"):
        every = [f"{name}={yaml.safe_dump(_plain(v))}" for name, v in free.first.items()]
        SearchSpace.make("naive", small_log, "cvr_nll", 0, every)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_the_command(small_log: PreparedLog, tmp_path: Path) -> None:
    sets = [part for text in FAST for part in ("--set", text)]
    command = ["tune", small_log.folder, "--method", "esmm", "--trials", "2", "--workers", "1"]
    out = succeed(*command, *sets, "--metric", "ctcvr_auc", "--out", tmp_path / "t")
    assert "esmm, ctcvr_auc on the validation split" in out
    assert "2 trials: 2 complete." in out
    assert "looks better on the rows it was chosen by than it is" in out
    again = json.loads(
        succeed(*command, *sets, "--metric", "ctcvr_auc", "--out", tmp_path / "t", "--json")
    )
    assert again["trials"] == {"complete": 2, "pruned": 0, "failed": 0}
    assert again["best"]["value"] >= again["defaults"]["value"]
    config = tmp_path / "t" / "best.yaml"
    succeed("train", small_log.folder, "--config", config, "--out", tmp_path / "run")
    wrong = run(*command, "--out", tmp_path / "t")
    assert wrong.code == 2
    assert len(wrong.err.strip().splitlines()) == 1


def test_it_is_public(tuned: Tuning) -> None:
    assert postclick.tune is tune
