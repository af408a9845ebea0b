"""A run judged on a raw log: the same figures as on the prepared one, by the same rules."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from helpers.commands import run as command
from helpers.commands import succeed
from helpers.raw_logs import assert_same, csv_of, parquet_of
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.judge import Judgement
from postclick.runs.run import Run


@pytest.mark.parametrize(
    "form",
    [
        csv_of,
        parquet_of,
        lambda later, _: later,
        lambda later, _: later.to_pandas(),
        lambda later, _: later.to_arrow(),
    ],
    ids=["csv", "parquet", "polars", "pandas", "arrow"],
)
def test_the_raw_test_log_has_the_figures_of_the_prepared_one(
    run: Run,
    prepared: Judgement,
    later: pl.DataFrame,
    form: Callable[[pl.DataFrame, Path], Any],
    tmp_path: Path,
) -> None:
    before = (run.folder / "metrics.json").read_bytes()
    found = run.evaluate(form(later, tmp_path), name="same rows")
    assert {m.metric for m in found.metrics} >= {"cvr_gauc", "true_cvr_nll", "ctr_auc"}
    assert_same(found, prepared)
    assert (found.about["rows"], found.about["left_out"]) == (1_500, 0)
    assert found.about["conversions"] == later.filter(click=1).filter(pl.col("paid") > 0).height
    assert (run.folder / "metrics.json").read_bytes() == before
    assert run.log_metrics["same rows"] == json.loads(json.dumps(found.as_dict()))


def test_chunks_and_batches_change_nothing(
    run: Run, later: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.evaluate(later)
    monkeypatch.setattr("postclick.data.read.chunks.CHUNK_ROWS", 123)
    assert_same(run.evaluate(later), whole)


def test_another_day_has_ids_that_training_has_not_seen(run: Run, later: pl.DataFrame) -> None:
    """They count as unseen; segments still call them by their names."""
    day = later.with_columns(
        shop=pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.lit("new")).otherwise("shop"),
        day=pl.lit("2026-03-01"),
    )
    found = run.evaluate(day, by=["shop", "day", "price", "page", "spend"], top=3)
    by = {one.feature: one for one in found.by}
    shops = {one.value: one for one in by["shop"].segments}
    assert by["shop"].segments[0].value == "new" and shops["new"].rows == 500
    assert shops["(others)"].values == 2  # of a, b, 7 (which is 7.0), NULL and new
    assert [one.value for one in by["day"].segments] == ["2026-03-01"]
    assert [by[name].kind for name in ("price", "page", "spend")] == [
        "numeric",
        "categorical",
        "numeric",
    ]
    for one in by.values():
        assert sum(segment.rows for segment in one.segments) == day.height
        assert sum(segment.clicks for segment in one.segments) == int(day["click"].sum())
    price = by["price"].segments
    assert (len(price), price[-1].value) == (11, "(missing)")
    assert price[-1].rows == day["price"].null_count()
    numbers = day["price"].drop_nulls().sort()
    assert price[0].value == f"{numbers[0]:.6g} to {numbers[price[0].rows - 1]:.6g}"
    alone = run.evaluate(day.filter(shop="new"))
    of_new = {(m.metric, m.space): m.value for m in shops["new"].metrics}
    for metric in alone.metrics:
        assert of_new[metric.metric, metric.space] == pytest.approx(
            metric.value, rel=1e-5, abs=1e-6
        )


def test_segments_of_known_values_are_those_of_the_prepared_log(
    run: Run, log: PreparedLog, later: pl.DataFrame
) -> None:
    raw = run.evaluate(later, by=["user", "price", "age"], top=100).by
    kept = run.evaluate(log, by=["user", "price", "age"], top=100).by
    users = [{one.value: one.rows for one in cut.segments} for cut in (raw[0], kept[0])]
    assert users[0] == users[1] and len(users[0]) == 80
    assert [one.rows for one in raw[1].segments] == [one.rows for one in kept[1].segments]


def test_without_truth_there_are_no_figures_against_it(run: Run, later: pl.DataFrame) -> None:
    found = run.evaluate(later.drop("p", "would"))
    assert not [m for m in found.metrics if m.metric.startswith("true_")]
    expected = run.evaluate(later)
    assert found.value("cvr_nll") == expected.value("cvr_nll")
    gaps = later.with_columns(p=pl.lit(None, pl.Float64))
    assert_same(run.evaluate(gaps), run.evaluate(later.drop("p")))
    some = later.with_columns(would=pl.when(pl.int_range(pl.len()) >= 7).then("would"))
    message = r"truth column 'would' has no value in 7 of 1,500 rows .*take the column out"
    with pytest.raises(InputError, match=message):
        run.evaluate(some)


def test_the_command_line(run: Run, log: PreparedLog, later: pl.DataFrame, tmp_path: Path) -> None:
    parts = parquet_of(later, tmp_path)
    logs = [text for part in parts for text in ("--log", str(part))]
    printed = succeed("evaluate", run.folder, *logs, "--by", "shop", "--top", "2")
    counts = f"{parts[0]} and 1 more: 1,500 rows, {int(later['click'].sum())} clicks, "
    assert printed.startswith(counts)
    assert "By shop: recorded labels" in printed and "mean c/pi" in printed
    stored = run.log_metrics[f"{parts[0]} and 1 more"]
    told = json.loads(succeed("evaluate", run.folder, *logs, "--json", "--name", "march"))
    assert told["metrics"] == stored["metrics"] == run.log_metrics["march"]["metrics"]
    text = csv_of(later, tmp_path)
    wrong = command("evaluate", run.folder, "--log", text, "--read", "separator=,")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert succeed("evaluate", run.folder, "--log", text, "--read", "separator=;")
    wrong = command("evaluate", run.folder, "--log", str(parts[0]), "--read", "separator=;")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "is no text with a separator of its own" in wrong.err
    for arguments in ([], [str(log.folder), "--log", str(text)]):
        done = command("evaluate", run.folder, *arguments)
        assert (done.code, done.err) == (
            2,
            "postclick: give one log to judge on: the prepared one, or a raw one with --log\n",
        )
