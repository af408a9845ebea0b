"""A run judged on a raw log: the same figures as on the prepared one, by the same rules."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.commands import run as command
from helpers.commands import succeed
from helpers.mixed_log import MIXED, mixed_log
from helpers.runs import small_settings
from postclick import evaluate, prepare, train
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.judging.judge import Judgement
from postclick.runs.run import Run

# Every kind of column, labels by rules, groups, weights and truth.
SCHEMA = LogSchema.parse(
    {
        **MIXED,
        "conversion": {"column": "paid", "positive": "> 0"},
        "hashed": [{"name": "page", "buckets": 7}],
        "group": "user",
        "weight": "stands_for",
        "truth": {"cvr": "p", "conversion": "would"},
    }
)


def log_of(rows: int, seed: int) -> pl.DataFrame:
    log = mixed_log(rows, seed)
    rng = np.random.default_rng(seed + 100)
    would = rng.random(rows) < 0.35
    paid = np.where(would & (log["click"] == 1).to_numpy(), rng.integers(1, 90, rows), 0)
    return log.drop("buy").with_columns(
        paid=pl.Series(paid).cast(pl.Float64),
        page=pl.Series(rng.integers(0, 30, rows)).cast(pl.String),
        stands_for=pl.Series(rng.choice([0.0, 1.0, 2.5], rows)),
        p=pl.Series(rng.random(rows)),
        would=pl.Series(would.astype(int)),
    )


@pytest.fixture(scope="module")
def later() -> pl.DataFrame:
    return log_of(1_500, 1)


@pytest.fixture(scope="module")
def log(later: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    splits = LogSplits(SCHEMA, FrameSource(log_of(3_000, 0)), FrameSource(later))
    return prepare(splits, tmp_path_factory.mktemp("raw") / "data", shard_rows=400)


@pytest.fixture(scope="module")
def run(log: PreparedLog) -> Run:
    settings = small_settings("escm2_ipw", "epochs=1", "eval_batch_size=500")
    return train(log, settings, log.folder.parent / "run")


@pytest.fixture(scope="module")
def prepared(run: Run, log: PreparedLog) -> Judgement:
    return run.evaluate(log, "test")


def assert_same(found: Judgement, expected: Judgement, rel: float = 2e-5) -> None:
    """To what float32 leaves of sums over batches of other rows."""
    assert [(m.metric, m.space) for m in found.metrics] == [
        (m.metric, m.space) for m in expected.metrics
    ]
    for one, other in zip(found.metrics, expected.metrics, strict=True):
        assert (one.rows, one.groups, one.undefined) == (other.rows, other.groups, other.undefined)
        assert one.value == pytest.approx(other.value, rel=rel, abs=2e-6), one.metric
    assert found.propensity is not None and expected.propensity is not None
    for name in ("click_over_pi", "unclick_over_rest"):
        expected_mean = getattr(expected.propensity, name)
        assert getattr(found.propensity, name) == pytest.approx(expected_mean, rel=1e-5)


def csv_of(later: pl.DataFrame, folder: Path) -> Path:
    """Lists as the schema's separators say."""
    joined = [pl.col(c).cast(pl.List(pl.String)).list.join("|") for c in ("history", "weight")]
    later.with_columns(joined).write_csv(folder / "later.csv", separator=";")
    return folder / "later.csv"


def parquet_of(later: pl.DataFrame, folder: Path) -> list[Path]:
    """In two files, which are one log."""
    parts = [folder / "later_0.parquet", folder / "later_1.parquet"]
    later.head(700).write_parquet(parts[0])
    later.tail(-700).write_parquet(parts[1])
    return parts


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


def broken(later: pl.DataFrame) -> pl.DataFrame:
    """Ten conversions without a click, and five rows without a label."""
    number = pl.int_range(pl.len())
    return later.with_columns(
        paid=pl.when(number < 10).then(5.0).otherwise("paid"),
        click=pl.when(number < 10)
        .then(0)
        .when(number >= pl.len() - 5)
        .then(None)
        .otherwise("click"),
    )


def test_rows_that_break_the_funnel_are_dealt_with_as_in_prepare(
    run: Run, later: pl.DataFrame, tmp_path: Path
) -> None:
    bad = broken(later)
    with pytest.raises(InputError, match=r"frame: label 'click' is not 0 or 1 in 5 of 1,500 rows"):
        run.evaluate(bad)
    with pytest.raises(InputError, match="label 'click' is not 0 or 1"):
        run.evaluate(bad, on_bad_rows="keep")
    dropped = run.evaluate(bad, on_bad_rows="drop")
    assert dropped.about["left_out"] == 15
    assert_same(dropped, run.evaluate(bad.slice(10, 1_485)))
    assert "those rows are left out" in dropped.about["notes"][0]
    clickless = bad.head(1_495)
    message = r"10 of 1,495 rows .* without a click .*or judge with .*on_bad_rows=\"keep\""
    with pytest.raises(InputError, match=message):
        run.evaluate(clickless)
    found = run.evaluate(clickless, on_bad_rows="keep")
    assert (found.about["left_out"], found.about["rows"]) == (0, 1_495)
    kept = clickless.with_columns(paid=pl.when(click=0).then(0.0).otherwise("paid"))
    assert_same(found, run.evaluate(kept))
    splits = LogSplits(SCHEMA, FrameSource(log_of(3_000, 0)), FrameSource(bad))
    again = prepare(splits, tmp_path / "data", on_bad_rows="drop").split("test")
    assert again.rows == dropped.about["rows"]
    assert (again.clicks, again.conversions) == tuple(
        dropped.about[name] for name in ("clicks", "conversions")
    )


MISSING: dict[str, tuple[Callable[[pl.DataFrame], Any], str]] = {
    "click": (
        lambda later: later.drop("click").rename({"paid": "Click"}),
        r"^frame: no column 'click' \(did you mean 'Click'\?\), the click of the run's schema; it "
        r"has user, .*: give a log that has it, or score the rows without judging them",
    ),
    "conversion": (lambda later: later.drop("paid"), "no column 'paid', the conversion of the"),
    "weight": (lambda later: later.drop("stands_for"), "no column 'stands_for', the weight of"),
    "feature": (lambda later: later.drop("shop"), "frame: no column 'shop'.*correct the"),
    "rows": (lambda later: later.head(0), "frame: no rows: give a log with rows"),
    "number": (
        lambda later: later.with_columns(price=pl.lit("dear")),
        "frame: column 'price': 1,500 values are not numbers.*'dear'",
    ),
    "weights": (
        lambda later: later.with_columns(stands_for=-pl.col("stands_for")),
        r"weight 'stands_for' is no number from 0 to .* found -",
    ),
    "file": (lambda _: "nowhere.parquet", "nowhere.parquet"),
    "truth": (
        lambda later: later.with_columns(p=pl.lit(2.0)),
        r"column 'p': 1,500 values are outside \[0, 1\]",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_a_log_lacks_is_one_line(run: Run, later: pl.DataFrame, case: str) -> None:
    change, message = MISSING[case]
    with pytest.raises(InputError, match=message) as told:
        run.evaluate(change(later))
    assert "\n" not in str(told.value)


def test_options_that_do_not_go_together_are_refused(
    run: Run, log: PreparedLog, later: pl.DataFrame
) -> None:
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: evaluate(run), "give one log to judge on"),
        (lambda: evaluate(run, log, log=later), "give one log to judge on"),
        (lambda: evaluate(run, log=log.folder), "is a prepared log: give it as the run's data"),
        (lambda: run.evaluate(later, "valid"), "a raw log has no splits.*leave split"),
        (lambda: run.evaluate(later, keep_predictions=True), "no predictions of it are kept"),
        (lambda: run.evaluate(log, name="x"), "are for raw logs"),
        (lambda: run.evaluate(later, on_bad_rows="dropp"), "did you mean 'drop'"),  # type: ignore[arg-type]
        (lambda: run.evaluate(later, by="history"), "has several values for each impression"),
        (lambda: run.evaluate(later, by="paid"), "'paid' is an outcome"),
        (lambda: run.evaluate(later, by="shopp"), "no column 'shopp' .did you mean 'shop'"),
        (lambda: run.evaluate(later, read=["decimals=,"]), "expected KEY=VALUE"),
    ]
    for call, message in cases:
        with pytest.raises(InputError, match=message):
            call()


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
