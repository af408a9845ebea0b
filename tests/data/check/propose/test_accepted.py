"""A draft is accepted: `check` finds no error in it that the draft itself brings about."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.odd_columns import odd_log
from helpers.published_layouts import LAYOUTS
from postclick.data.check.check_log import check_log
from postclick.data.check.findings import Finding
from postclick.data.check.propose import propose_schema
from postclick.data.read.log_source import FrameSource, LogSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema

LOGS = 30


def errors(source: LogSource, **labels: str) -> tuple[str, list[Finding]]:
    text = propose_schema(source, **labels)
    report = check_log(LogSchema.parse(yaml.safe_load(text)), source)
    return text, list(report.errors)


@pytest.mark.parametrize("seed", range(LOGS))
def test_of_any_log(seed: int) -> None:
    frame, kinds = odd_log(seed)
    text, found = errors(FrameSource(frame), click="click", conversion="buy")
    assert found == [], (seed, kinds, text)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1300, 100))
def test_of_many_logs(start: int) -> None:
    for seed in range(start, start + 100):
        test_of_any_log(seed)


@pytest.mark.parametrize("name", LAYOUTS)
def test_of_the_layout_of_a_public_data_set(name: str, tmp_path: Path) -> None:
    make, suffix, labels = LAYOUTS[name]
    path = tmp_path / f"{name}{suffix}"
    make(np.random.default_rng(0)).write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    text, found = errors(open_log(path), **labels)
    assert found == [], text
