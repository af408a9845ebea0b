"""Commands that make, check and prepare logs, as people and as machines call them."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import yaml

from helpers.commands import run, succeed
from postclick.data.prepared import PreparedLog


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
