"""Commands that list methods, train, judge and compare, as people and as machines call them."""

import json
import re
from pathlib import Path

import pytest

from helpers.commands import SETS, run, succeed
from postclick.data.prepared import PreparedLog
from postclick.methods import METHODS


def test_methods_are_listed(tmp_path: Path) -> None:
    text = succeed("methods")
    entries = json.loads(succeed("methods", "--json"))
    assert [entry["method"] for entry in entries] == list(METHODS)
    for entry in entries:
        assert entry["summary"] in text
        assert entry["reference"] in text
        assert all(variant in text for variant in entry["variants"])
        assert set(entry["options"]) == set(METHODS[entry["method"]].Config.model_fields)


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
