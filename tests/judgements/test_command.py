"""The command at the end of a page makes the same judgement again."""

import json
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from helpers.hostile_predictions import hostile_predictions
from postclick.cli import app
from postclick.judgements.judge_log import judge
from postclick.judging.predicted.columns import ModelColumns
from postclick.judging.predicted.result import JudgedLog

# Findings name options, which are spelled otherwise on a command line.
OTHERWISE = ("seconds", "findings")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "group": "user",
            "by": ("shop", "price"),
            "time": "at",
            "exposure": "position",
            "propensity": "pctr",
            "clip": 0.05,
            "true_cvr": "true",
            "randomised": "drawn",
            "against": "b",
            "top": 3,
            "level": 0.9,
            "resamples": 50,
            "seed": 7,
            "on_bad_rows": "drop",
            "calibrated": False,
        },
        {"models": {"mine": {"pctr": "pctr_a", "pcvr": "pcvr_b"}}, "resamples": 40},
        {"models": {"mine": ModelColumns("mine", pcvr="pcvr_b")}, "resamples": 40},
        {"models": ["x=pcvr:pcvr_a", "y=pcvr:pcvr_b"], "conversion": "conversion"},
        {"click": {"column": "click", "positive": "> 0"}, "by": ["shop"]},
    ],
)
def test_it_makes_the_same_judgement(options: dict[str, object], tmp_path: Path) -> None:
    log = tmp_path / "it's a log.parquet"
    hostile_predictions(["a", "b"], rows=500).write_parquet(log)
    judged = judge(log, **options)  # type: ignore[arg-type]
    again = run(judged, tmp_path / "again")
    assert again == plain(judged)


def run(judged: JudgedLog, out: Path) -> Any:
    """The summary that the command of a judgement writes."""
    words = shlex.split(judged.command)
    assert words[:2] == ["postclick", "judge"] and words[-2:] == ["--out", "DIR"]
    done = CliRunner().invoke(app, [*words[1:-1], str(out)])
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return rounded({k: v for k, v in found.items() if k not in (*OTHERWISE, "format")})


def plain(judged: JudgedLog) -> Any:
    found: dict[str, object] = json.loads(json.dumps(judged.as_dict()))
    return rounded({key: value for key, value in found.items() if key not in OTHERWISE})


def rounded(found: Any) -> Any:
    """Without last digits, which depend on the order of sums."""
    if isinstance(found, dict):
        return {key: rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [rounded(value) for value in found]
    return float(f"{found:.10g}") if isinstance(found, float) else found


def test_what_came_from_memory_is_named_in_capitals() -> None:
    frame = hostile_predictions(["a"], rows=200)
    judged = judge(
        frame,
        schema={"click": "click", "conversion": "conversion", "categorical": ["shop"]},
        randomised_log=frame.filter(pl.col("drawn") > 0),
        resamples=40,
    )
    assert judged.command == (
        "postclick judge LOG --schema SCHEMA.yaml --randomised-log LOG --resamples 40 --out DIR"
    )
