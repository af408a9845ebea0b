"""Every command on a small log, as people and as machines call it."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from helpers.commands import SETS, run, succeed, write_own_log
from postclick.data.prepared import PreparedLog
from postclick.datasets.simulated import SimulatedLog
from postclick.methods import METHODS

COMMANDS = (
    *("methods", "simulate", "check", "prepare", "train", "evaluate", "compare"),
    *("calibrate", "judge"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("report", "reproduce", "audit")),
)
NAMES = [command if isinstance(command, str) else command.values[0] for command in COMMANDS]


@pytest.fixture(scope="module")
def place(small_raw: SimulatedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.csv, test.csv and schema.yaml, and a prepared log and a run of it."""
    folder = tmp_path_factory.mktemp("cli")
    write_own_log(folder, small_raw)
    logs = ["--train", folder / "train.csv", "--test", folder / "test.csv"]
    succeed("prepare", "--schema", folder / "schema.yaml", *logs, "--out", folder / "data")
    run_ = ["--method", "choruscvr", "--seed", "0", "--out", folder / "run"]
    succeed("train", folder / "data", *run_, *SETS)
    return folder


def test_methods_are_listed(tmp_path: Path) -> None:
    text = succeed("methods")
    entries = json.loads(succeed("methods", "--json"))
    assert [entry["method"] for entry in entries] == list(METHODS)
    for entry in entries:
        assert entry["summary"] in text
        assert entry["reference"] in text
        assert all(variant in text for variant in entry["variants"])
        assert set(entry["options"]) == set(METHODS[entry["method"]].Config.model_fields)


def test_simulate_writes_a_log_that_can_be_checked(tmp_path: Path) -> None:
    out = tmp_path / "world"
    size = ["--rows", "2000", "--seed", "4", "--ctr", "0.3", "--cvr", "0.3"]
    text = succeed("simulate", out, "--world", "adverse", *size)
    assert "train.parquet (1,500 rows), test.parquet (500)" in text
    assert pl.read_parquet(out / "train.parquet").height == 1_500
    printed = json.loads(
        succeed("simulate", tmp_path / "again", "--world", "adverse", *size, "--json")
    )
    world = json.loads((out / "world.json").read_text())
    assert printed["oracle"] == world["oracle"]
    assert world["settings"]["seed"] == 4
    report = succeed("check", "--schema", out / "schema.yaml", out / "train.parquet")
    assert report.startswith("train: 1,500 impressions")


def test_check_reports_and_its_exit_code_tells_errors(place: Path, tmp_path: Path) -> None:
    arguments = ["check", "--schema", place / "schema.yaml", place / "train.csv"]
    with_test = [*arguments, "--test", place / "test.csv"]
    assert "test: 2,000 impressions" in succeed(*with_test)
    report = json.loads(succeed(*with_test, "--json"))
    assert report["funnel"]["train"]["rows"] == 6_000
    broken = pl.read_csv(place / "train.csv").with_columns(conversion=1)
    broken.write_csv(tmp_path / "broken.csv")
    done = run("check", "--schema", place / "schema.yaml", tmp_path / "broken.csv")
    assert done.code == 2
    assert "error: " in done.out
    assert "conversion" in done.out
    as_json = run("check", "--schema", place / "schema.yaml", tmp_path / "broken.csv", "--json")
    assert as_json.code == 2
    codes = {finding["code"] for finding in json.loads(as_json.out)["findings"]}
    assert "conversion-without-click" in codes


def test_a_proposed_schema_can_be_used(place: Path, tmp_path: Path) -> None:
    text = succeed("check", "--propose", place / "train.csv")
    assert yaml.safe_load(text)["click"] == "click"
    (tmp_path / "draft.yaml").write_text(text)
    succeed("check", "--schema", tmp_path / "draft.yaml", place / "train.csv")


def test_prepare_tells_what_it_wrote(place: Path, tmp_path: Path) -> None:
    logs = ["--train", place / "train.csv", "--test", place / "test.csv"]
    arguments = ["prepare", "--schema", place / "schema.yaml", *logs]
    text = succeed(*arguments, "--out", tmp_path / "a")
    for name in ("train", "valid", "test"):
        assert re.search(rf"^{name} +[\d,]+ impressions +[\d,]+ clicks", text, re.MULTILINE)
    manifest = json.loads(succeed(*arguments, "--out", tmp_path / "b", "--json"))
    assert manifest["fingerprint"] == PreparedLog(tmp_path / "a").fingerprint
    assert manifest["splits"]["test"]["rows"] == 2_000


def test_prepare_splits_by_time_and_by_group(place: Path, tmp_path: Path) -> None:
    log = pl.read_csv(place / "train.csv")
    start = datetime(2026, 1, 1)
    shown = [start + timedelta(minutes=k) for k in range(log.height)]
    log.with_columns(pl.Series("shown_at", shown)).write_csv(tmp_path / "log.csv")
    schema = yaml.safe_load((place / "schema.yaml").read_text())
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({**schema, "time": "shown_at"}))
    arguments = ["prepare", "--schema", tmp_path / "schema.yaml", "--train", tmp_path / "log.csv"]
    when = ["--valid-from", "2026-01-03", "--test-from", "2026-01-04T12:00", "--purge", "2h"]
    text = succeed(*arguments, "--split-by", "time", *when, "--out", tmp_path / "a")
    assert "valid from 2026-01-03 00:00:00, test from 2026-01-04 12:00:00 on" in text
    rows = {name: split.rows for name, split in PreparedLog(tmp_path / "a").manifest.splits.items()}
    assert rows == {"train": 2760, "valid": 2040, "test": log.height - 5040}
    assert "120 rows" in text
    group = next(iter(schema["categorical"]))
    group = group if isinstance(group, str) else group["name"]
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({**schema, "group": group}))
    text = succeed(*arguments, "--split-by", "group", "--out", tmp_path / "b")
    assert "no group is in two splits" in text


def test_prepare_a_public_data_set(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "hillstrom" / "hillstrom.csv"
    if not source.exists():
        pytest.skip(f"{source} does not exist")
    text = succeed("prepare", "--dataset", "hillstrom", "--source", source, "--out", tmp_path / "h")
    assert "note: " in text
    assert PreparedLog(tmp_path / "h").split("train").clicks > 1_000


def test_train_says_how_it_goes_and_where_it_is(place: Path, tmp_path: Path) -> None:
    done = run("train", place / "data", "--method", "naive", "--out", tmp_path / "run", *SETS)
    assert done.code == 0
    assert re.search(r"^epoch 1: loss [\d.]+ \(ctr [\d.]+ cvr [\d.]+\) \| valid", done.err, re.M)
    assert f"judge it with 'postclick evaluate {tmp_path / 'run'} {place / 'data'}'" in done.out


def test_train_from_a_config_and_as_json(place: Path, tmp_path: Path) -> None:
    config = place / "run" / "config.yaml"
    done = run("train", place / "data", "--config", config, "--out", tmp_path / "run", "--json")
    assert (done.code, done.err) == (0, "")
    history = json.loads(done.out)["history"]
    assert [record["epoch"] for record in history] == [1]
    again, first = (f / "model.safetensors" for f in (tmp_path / "run", place / "run"))
    assert again.read_bytes() == first.read_bytes()


def test_evaluate_prints_and_writes(place: Path) -> None:
    text = succeed("evaluate", place / "run", place / "data")
    assert re.search(r"^cvr_auc +clicked +0\.\d{6}$", text, re.MULTILINE)
    assert re.search(r"^mean c/pi +entire +[\d.]+$", text, re.MULTILINE)
    printed = json.loads(succeed("evaluate", place / "run", place / "data", "--json"))
    assert printed == json.loads((place / "run" / "metrics.json").read_text())["test"]
    assert {metric["metric"] for metric in printed["metrics"]} >= {"ctr_auc", "cvr_nll"}
    succeed("evaluate", place / "run", place / "data", "--split", "valid")


def test_evaluate_by_the_values_of_features(place: Path) -> None:
    names = [column.name for column in PreparedLog(place / "data").manifest.ids][:2]
    by = ",".join(names)
    text = succeed("evaluate", place / "run", place / "data", "--by", by, "--top", "3")
    assert all(f"By {name}: recorded labels" in text for name in names)
    assert "(others), " in text
    printed = json.loads(
        succeed("evaluate", place / "run", place / "data", "--by", by, "--top", "3", "--json")
    )
    assert printed == json.loads((place / "run" / "metrics.json").read_text())["test"]
    assert list(printed["by"]) == names
    rows = PreparedLog(place / "data").split("test").rows
    for one in printed["by"].values():
        assert sum(segment["rows"] for segment in one["segments"]) == rows
        assert len(one["segments"]) <= 4
    refused = run("evaluate", place / "run", place / "data", "--by", "nosuch")
    assert refused.code == 2
    assert refused.err.startswith("postclick: there is no feature 'nosuch' to judge by; there are:")
    assert refused.err.count("\n") == 1
    again = json.loads(succeed("evaluate", place / "run", place / "data", "--json"))
    assert "by" not in again


@pytest.mark.slow
def test_compare_prints_a_table_with_its_protocol(place: Path, tmp_path: Path) -> None:
    arguments = ["compare", place / "data", "--methods", "naive,esmm", "--seeds", "2"]
    arguments += ["--out", tmp_path / "c", "--workers", "1", "--trials", "1", *SETS]
    text = succeed(*arguments)
    assert "Recorded labels, same length for all (test split)" in text
    assert "Recorded labels, tuned on validation (test split)" in text
    assert "backbone share_bottom (the same for all)" in text
    assert "Against known truth" not in text
    summary = json.loads(succeed(*arguments, "--json"))
    assert summary == json.loads((tmp_path / "c" / "summary.json").read_text())
    assert text.splitlines()[-1] == summary["answer"]["sentence"], "the answer is the last line"
    assert (tmp_path / "c" / "results.parquet").exists()


def examples(command: str) -> list[list[str]]:
    """The commands that `postclick COMMAND --help` shows."""
    text = " ".join(succeed(command, "--help").split())
    shown = re.split(" (?:Arguments|Options): ", text)[0]
    return [shlex.split(part) for part in shown.split("Example: postclick ")[1:]]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_an_example_that_works(
    command: str,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """In a folder with the files that the examples name; large numbers are made small."""
    shown = examples(command)
    assert shown, "no example"
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "test.csv", "schema.yaml"):
        shutil.copy(place / name, name)
    shutil.copy("train.csv", "log.csv")
    if command != "prepare":
        shutil.copytree(place / "data", "data")
    if command == "report":
        small = ["--methods", "naive", "--seeds", "1", "--trials", "0", "--workers", "1", *SETS]
        succeed("compare", "data", "--out", "results", *small)
    if command in ("evaluate", "calibrate", "judge"):
        shutil.copytree(place / "run", "run")
        shutil.copy("test.csv", "later.csv")
        later = pl.read_csv("test.csv")
        for name in ("later", "monday", "tuesday"):
            later.write_parquet(f"{name}.parquet")
            later = later.reverse()
        scores = {"pctr": 0.3, "pcvr": 0.3}
        user = {} if "user" in later.columns else {"user": 1}
        shop = {} if "shop" in later.columns else {"shop": "a"}
        later.with_columns(
            **{k: pl.lit(v) for k, v in {**scores, **user, **shop}.items()}
        ).write_parquet("scored.parquet")
    if command == "judge":
        succeed("export", "run", "--out", "bundle")
    smaller = {"400000": "2000", "5": "1", "epochs=5": "epochs=1"}
    for words in shown:
        assert words[0] == command
        words = [smaller.get(word, word) for word in words]
        words, target = (words[:-2], words[-1]) if ">" in words else (words, None)
        if command == "prepare":
            shutil.rmtree("data", ignore_errors=True)
        shutil.rmtree("judged", ignore_errors=True)
        extra = SETS if command in ("train", "compare") else []
        if command == "compare":  # its evi needs a tower as deep as it transfers
            extra = [*SETS, "--set", "tower=[16,8,4]", "--workers", "1", "--trials", "0"]
        if command == "reproduce":
            extra = [*SETS, "--set", "tower=[16,8,4]", "--set", "expert_width=8", "--workers", "1"]
        if "hillstrom" in words:  # the last example; skips where the data is not there
            folder: Path = request.getfixturevalue("shared_data") / "hillstrom"
            Path("hillstrom.csv").symlink_to(folder / "hillstrom.csv")
        text = succeed(*words, *extra)
        if target is not None:
            Path(target).write_text(text)


def test_help_of_the_whole_names_every_command() -> None:
    text = succeed("--help")
    assert all(re.search(rf"^  {command} ", text, re.MULTILINE) for command in NAMES)
    bare = run()
    assert bare.code == 2
    assert "Usage: postclick" in bare.out + bare.err


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "postclick", "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: postclick" in done.stdout or "Usage: python -m postclick" in done.stdout
    assert all(f"  {command} " in done.stdout for command in NAMES)


def test_the_installed_command(place: Path) -> None:
    """A process of its own: exit code 2 and one line on standard error, nothing on the other."""
    code = "from postclick.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", "--schema", "no.yaml", str(place / "train.csv")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"postclick: schema no\.yaml does not exist: .*\n", done.stderr)


def test_an_interruption_says_that_it_can_be_resumed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("postclick.training.loop.TrainingLoop._step", interrupt)
    done = run("train", place / "data", "--method", "naive", "--out", tmp_path / "r", *SETS)
    assert done.code == 130
    assert done.err == "postclick: interrupted; run the same command again to resume\n"


def test_a_defect_keeps_its_traceback(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the user can mend is one line."""

    def fail(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("postclick.training.loop.TrainingLoop._step", fail)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        run("train", place / "data", "--method", "naive", "--out", tmp_path / "r", *SETS)
