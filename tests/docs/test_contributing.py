"""CONTRIBUTING.md: the house is as it says, its paths exist, and what it shows can be built on."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from docs.pages import ROOT, blocks
from postclick.data.prepared import PreparedLog
from postclick.data.write.prepare import prepare
from postclick.metrics.rows import Rows
from postclick.nn.backbones import TaskBackbone
from postclick.nn.shared_settings import SharedSettings

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SOURCES = ROOT / "src" / "postclick"


def recipe(heading: str) -> dict[str, Any]:
    """What the programs under a heading define, run as they are printed."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    defined: dict[str, Any] = {"__name__": "recipe"}
    for block in blocks(section, "python"):
        exec(compile(block.text, f"CONTRIBUTING.md: {heading}", "exec"), defined)
    return defined


def test_the_house_is_as_it_says() -> None:
    """Every package and module is in one line of the table, and nothing that is not there."""
    table = PAGE.split("\n## The house\n", 1)[1].split("\n\n`tests/`", 1)[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name.rstrip("/") for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    there = [path.name for path in SOURCES.iterdir() if not path.name.startswith("__")]
    assert sorted(named) == sorted(name for name in there if name != "py.typed")


def test_paths_and_links_lead_somewhere() -> None:
    text = re.sub(r"\\_", "_", PAGE)
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    named = re.findall(r"\btests/[\w/*.]+", text)
    assert len(named) > 20
    for path in named:
        assert any(ROOT.glob(path.rstrip("."))), path


def test_the_metric_is_a_metric() -> None:
    brier = recipe("Add a metric")["Brier"]()
    label, score = np.array([True, False, False]), np.array([0.0, -1.0, 2.0])
    state = brier.state()
    for part in (slice(0, 1), slice(1, 3)):
        state.add(Rows(label[part], score[part]))
    by_hand = float(np.mean((1 / (1 + np.exp(-score)) - label) ** 2))
    assert brier.compute(state) == pytest.approx(by_hand, rel=1e-12)
    weighted = brier.weighted(Rows(label, score))
    assert weighted(np.ones(3)) == pytest.approx(by_hand, rel=1e-12)
    assert list(brier.reported) == ["ctr_brier", "ctcvr_brier", "cvr_brier"]


@pytest.mark.slow
def test_the_method_passes_its_test() -> None:
    recipe("Add a method")["test_smoothed"]()


@pytest.mark.parametrize(
    ("heading", "test"), [("Add a backbone", "test_wide"), ("Add a metric", "test_brier")]
)
def test_the_others_pass_theirs(heading: str, test: str) -> None:
    recipe(heading)[test]()


def test_the_backbone_takes_and_gives_what_it_should() -> None:
    defined = recipe("Add a backbone")
    backbone = defined["Wide"](3, 2, defined["WideOptions"](hidden=4), SharedSettings())
    found = backbone(torch.ones(5, 3))
    assert [task.shape for task in found] == [(5, backbone.width)] * 2
    assert isinstance(backbone, TaskBackbone) and set(defined["WideOptions"].search) == {"hidden"}


def test_the_data_set_can_be_prepared(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "user": [k % 7 for k in range(100)],
            "item": [k % 11 for k in range(100)],
            "price": [1.0 + k for k in range(100)],
            "click": [int(k % 2 == 0) for k in range(100)],
            "bought": [int(k % 4 == 0) for k in range(100)],
        }
    )
    rows.write_parquet(tmp_path / "first.parquet")
    rows.head(50).write_parquet(tmp_path / "second.parquet")
    splits = recipe("Add a data set")["SHOP"].load(tmp_path)
    log = prepare(splits, tmp_path / "data")
    assert isinstance(log, PreparedLog)
    assert log.split("test").rows == 50
    assert log.manifest.splits.keys() >= {"train", "test"}


def test_the_method_that_fits_itself_keeps_what_it_has_to() -> None:
    recipe("Add a method that fits itself")["test_counts"]()
