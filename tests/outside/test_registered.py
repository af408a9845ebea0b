"""Methods and a data set of an installed package, by the names of its entry points."""

import json
from pathlib import Path

import polars as pl
import pytest

from .conftest import SMALL, Command


def test_they_are_listed(registered: Path, postclick_with: Command) -> None:
    done = postclick_with(registered, "methods", "--json")
    names = [entry["method"] for entry in json.loads(done.stdout)]
    assert names[-2:] == ["focal", "soft"]
    assert "focal" not in postclick_with(None, "methods").stdout


@pytest.mark.parametrize(
    ("method", "backbone"),
    [
        ("focal", "tower"),
        pytest.param("soft/no_soft", "auto", marks=pytest.mark.slow),
        pytest.param("evi", "tower", marks=pytest.mark.slow),
    ],
)
def test_train_evaluate_export(
    method: str,
    backbone: str,
    registered: Path,
    shop_log: Path,
    postclick_with: Command,
    tmp_path: Path,
) -> None:
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    done = postclick_with(
        *(registered, "train", shop_log, "--method", method, *SMALL, "--out", run),
        *("--set", f"backbone={backbone}", *(("--set", "wide=8") if backbone == "tower" else ())),
    )
    assert done.returncode == 0, done.stderr
    made = json.loads((run / "run.json").read_text())
    name = method.partition("/")[0]
    if name != "evi":
        place = f"clickshop.{name}:{name.title()}"
        assert made["method"] == {"class": place, "package": "clickshop 0.3"}
    if backbone == "tower":
        assert made["backbone"] == {"class": "clickshop.tower:Tower", "package": "clickshop 0.3"}
    done = postclick_with(registered, "evaluate", run, shop_log, "--json")
    assert done.returncode == 0, done.stderr
    metrics = {entry["metric"] for entry in json.loads(done.stdout)["metrics"]}
    assert {"ctr_brier", "cvr_brier", "ctcvr_brier", "cvr_gauc"} <= metrics
    done = postclick_with(registered, "export", run, "--out", bundle)
    assert done.returncode == 0, done.stderr
    assert (bundle / "model.onnx").is_file()


def test_without_the_package_one_line_says_what_is_missing(
    registered: Path, shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    postclick_with(registered, "train", shop_log, "--method", "focal", *SMALL, "--out", run)
    done = postclick_with(None, "evaluate", run, shop_log)
    assert done.returncode == 2
    assert "there is no method 'focal'" in done.stderr
    assert "it is clickshop.focal:Focal of clickshop 0.3" in done.stderr
    assert done.stderr.count("\n") == 1
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(
        text.replace("method: focal", "method: naive").replace("backbone: auto", "backbone: tower")
    )
    done = postclick_with(None, "evaluate", run, shop_log)
    assert done.returncode == 2
    assert "there is no backbone 'tower'" in done.stderr
    assert "damaged" not in done.stderr


@pytest.mark.slow
def test_compare_with_two_workers_and_audit(
    registered: Path, shop_log: Path, postclick_with: Command, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    done = postclick_with(
        *(registered, "compare", shop_log, "--methods", "naive,focal,soft", "--seeds", "2"),
        *("--trials", "0", "--workers", "2", *SMALL, "--out", out, "--backbone", "tower"),
    )
    assert done.returncode == 0, done.stderr
    results = pl.read_parquet(out / "results.parquet")
    assert set(results["method"].unique()) == {"naive", "focal", "soft"}
    assert "cvr_brier" in set(results["metric"].unique())
    assert "cvr_brier" in (out / "report.html").read_text()
    assert (out / "report.html").is_file()
    done = postclick_with(
        *(registered, "audit", "--methods", "focal,soft", "--populations", "none"),
        *("--workers", "2", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert [entry["method"] for entry in json.loads(done.stdout)] == ["focal", "soft"]


@pytest.mark.slow
def test_tune(registered: Path, shop_log: Path, postclick_with: Command, tmp_path: Path) -> None:
    done = postclick_with(
        *(registered, "tune", shop_log, "--method", "focal", "--trials", "4", "--workers", "2"),
        *(*SMALL, "--out", tmp_path / "tuned", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert "options.focus" in done.stdout
