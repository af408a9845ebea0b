from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from postclick.data import checks_columns, leakage, overlap
from postclick.data.checks import check_log
from postclick.data.checks_columns import ColumnChecks
from postclick.data.checks_labels import LabelCounts
from postclick.data.findings import CheckReport, Finding, Funnel
from postclick.data.leakage import grouped_auc
from postclick.data.overlap import KeySketch, TimeSpan
from postclick.data.rows import row_hash
from postclick.data.sample import HASH, HashSample
from postclick.data.schema import LogSchema
from postclick.data.source import FrameSource, open_log
from postclick.errors import InputError

ROWS = 4000
BASE = {"click": "click", "conversion": "buy", "categorical": ["shop"], "numeric": ["price"]}


def log(rows: int = ROWS, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    click = rng.random(rows) < 0.5
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": (click & (rng.random(rows) < 0.3)).astype(int),
            "shop": rng.choice(["a", "b", "c"], rows),
            "price": rng.normal(size=rows),
        }
    )


def check(
    frame: pl.DataFrame, *others: pl.DataFrame, policy: Any = "error", **schema: Any
) -> CheckReport:
    splits = dict(zip(("test", "valid"), map(FrameSource, others), strict=False))
    parsed = LogSchema.parse({**BASE, **schema})
    return check_log(parsed, FrameSource(frame), **splits, on_bad_rows=policy)


def only(report: CheckReport, code: str) -> Finding:
    found = [f for f in report.findings if f.code == code]
    assert len(found) == 1, report.findings
    assert "\n" not in found[0].message
    return found[0]


def codes(report: CheckReport) -> set[str]:
    return {f.code for f in report.findings}


def test_a_clean_log_has_no_findings() -> None:
    frame = log()
    report = check(frame, log(seed=1))
    assert report.findings == ()
    assert report.funnel["train"] == Funnel(ROWS, frame["click"].sum(), frame["buy"].sum())
    assert list(report.funnel) == ["train", "test"]
    assert report.funnel["train"].cvr == frame["buy"].sum() / frame["click"].sum()
    report.raise_errors()


def test_conversion_without_click() -> None:
    frame = log()
    bad = int(((frame["click"] == 0) & (pl.Series(range(ROWS)) < 100)).sum())
    frame = frame.with_columns(
        buy=pl.when(pl.col("click") == 0, pl.int_range(ROWS) < 100).then(1).otherwise("buy")
    )
    finding = only(check(frame), "conversion-without-click")
    assert (finding.severity, finding.rows, finding.column) == ("error", bad, "buy")
    with pytest.raises(InputError, match=f"{bad} of 4,000 rows"):
        check(frame).raise_errors()
    dropped = check(frame, policy="drop")
    assert only(dropped, "conversion-without-click").severity == "warning"
    assert dropped.funnel["train"].rows == ROWS - bad
    kept = check(frame, policy="keep")
    assert "recorded as 0" in only(kept, "conversion-without-click").message
    assert kept.funnel["train"] == Funnel(ROWS, frame["click"].sum(), frame["buy"].sum() - bad)


def test_labels_that_are_not_binary() -> None:
    frame = log().with_columns(
        click=pl.when(pl.int_range(ROWS) < 3).then(pl.int_range(ROWS) + 2).otherwise("click")
    )
    for policy, severity in (("error", "error"), ("drop", "warning"), ("keep", "error")):
        finding = only(check(frame, policy=policy), "label-not-binary")
        assert (finding.severity, finding.rows, finding.column) == (severity, 3, "click")
        assert "found 2, 3, 4" in finding.message
    assert check(frame, policy="drop").funnel["train"].rows == ROWS - 3


def test_missing_and_extra_columns() -> None:
    report = check(log().drop("price"), log())
    finding = only(report, "missing-column")
    assert (finding.severity, finding.column) == ("error", "price")
    assert finding.message.startswith("train: no column 'price'")
    assert report.funnel == {}
    extra = check(log().with_columns(b=1, c=2), ignore=["c"])
    assert only(extra, "extra-column").column == "b"
    assert only(extra, "extra-column").severity == "info"


def test_truth_may_be_in_one_split_only() -> None:
    truth = {"ctr": "p"}
    both = check(log(), log().with_columns(p=0.5), truth=truth)
    assert only(both, "no-truth-column").message.startswith("train:")
    neither = check(log(), log(), truth=truth)
    assert {f.code for f in neither.errors} == {"missing-column"}
    outside = check(log().with_columns(p=pl.int_range(ROWS) / ROWS * 1.5), truth=truth)
    assert only(outside, "truth-out-of-range").severity == "error"
    assert only(outside, "truth-out-of-range").rows == int(np.sum(np.arange(ROWS) / ROWS * 1.5 > 1))


def test_constant_and_equal_columns() -> None:
    frame = log().with_columns(one=pl.lit("x"), none=pl.lit(None, pl.String), again=pl.col("shop"))
    frame = frame.with_columns(cost=pl.col("price"), almost=pl.col("shop"))
    frame = frame.with_columns(
        almost=pl.when(pl.int_range(ROWS) == ROWS - 1).then(pl.lit("z")).otherwise("almost")
    )
    names = ["shop", "one", "none", "again", "almost"]
    report = check(frame, categorical=names, numeric=["price", "cost"])
    assert only(report, "constant-column").column == "one"
    assert only(report, "mostly-missing").column == "none"
    equal = {f.column for f in report.findings if f.code == "duplicated-column"}
    assert equal == {"again", "cost"}
    assert len([f for f in report.findings if f.code == "duplicated-column"]) == 2


def test_a_column_that_vanishes_in_test() -> None:
    gone = log().with_columns(price=pl.lit(None, pl.Float64))
    finding = only(check(log(), gone), "mostly-missing")
    assert finding.message.startswith("test: column 'price' is missing in 4,000 of 4,000 rows")
    assert "0.0% in train" in finding.message


def test_unreadable_and_infinite_numbers() -> None:
    texts = log()["price"].cast(pl.String).set(pl.Series(np.arange(ROWS) < 2), "ten")
    frame = log().with_columns(price=texts.set(pl.Series(np.arange(ROWS) == 5), "inf"))
    report = check(frame)
    finding = only(report, "unreadable-number")
    assert (finding.severity, finding.column, finding.rows) == ("error", "price", 2)
    assert "'ten'" in finding.message
    assert only(report, "infinite-number").severity == "warning"


@pytest.mark.parametrize(
    ("click", "buy", "code"),
    [
        ([0] * 200, [0] * 200, "no-clicks"),
        ([0, 1] * 100, [0] * 200, "no-conversions"),
        ([1] * 200, [0, 1] * 100, "no-unclicked-rows"),
    ],
)
def test_nothing_to_learn_from(click: list[int], buy: list[int], code: str) -> None:
    frame = log(200).with_columns(click=pl.Series(click), buy=pl.Series(buy))
    assert only(check(frame), code).severity == "error"
    good = log()
    assert only(check(good, frame), code).severity == "warning"
    assert only(check(good, frame), code).message.startswith("test:")


def test_few_conversions_are_a_warning() -> None:
    report = check(log(200))
    assert only(report, "few-clicks" if report.funnel["train"].clicks < 100 else "few-conversions")
    assert only(report, "few-conversions").severity == "warning"
    assert only(report, "leakage-not-judged").severity == "info"
    assert only(check(log(0)), "no-rows").severity == "error"


def with_leak(name: str) -> pl.DataFrame:
    """A log with a feature `leak` that gives a label away."""
    rng = np.random.default_rng(5)
    frame = log()
    click, buy = frame["click"].to_numpy(), frame["buy"].to_numpy()
    noise = rng.random(ROWS)
    leak: Any = {
        "spend": np.where(buy == 1, 10 * noise + 1, 0),
        "negative": np.where(click == 1, -noise, noise),
        "not monotone": np.where(click == 1, np.where(noise < 0.5, 0, 9) + noise, 4 + noise),
        "missing": pl.Series(noise).set(pl.Series(buy == 0), None),
        "word": np.where(
            buy == 1, rng.choice(["paid", "sent"], ROWS), rng.choice(["x", "y"], ROWS)
        ),
        "missing word": pl.Series(rng.choice(["x", "y"], ROWS)).set(pl.Series(click == 0), None),
    }[name]
    return frame.with_columns(leak=pl.Series(leak))


@pytest.mark.parametrize("name", ["spend", "negative", "not monotone", "missing"])
def test_numbers_that_leak(name: str) -> None:
    finding = only(check(with_leak(name), numeric=["price", "leak"]), "outcome-leakage")
    assert (finding.column, finding.severity) == ("leak", "error")
    assert "AUC" in finding.message


@pytest.mark.parametrize("name", ["word", "missing word"])
def test_categories_that_leak(name: str) -> None:
    report = check(with_leak(name), categorical=["shop", "leak"])
    assert only(report, "outcome-leakage").column == "leak"


def test_lists_that_leak() -> None:
    frame = log()
    clicked = frame["click"].to_numpy() == 1
    rng = np.random.default_rng(1)
    full = pl.Series("full", [["x"] if c else [] for c in clicked])
    other = ["seen"]
    word = pl.Series(
        "word",
        [
            [str(k), "clicked"] if c else [str(k), *other]
            for k, c in zip(rng.integers(0, 9, ROWS), clicked, strict=True)
        ],
    )
    fine = pl.Series("fine", [[str(k), str(k % 3)] for k in rng.integers(0, 9, ROWS)])
    report = check(frame.with_columns(full, word, fine), multi=["full", "word", "fine"])
    assert {f.column for f in report.findings if f.code == "outcome-leakage"} == {"full", "word"}


def test_values_that_leak_for_a_part_of_the_positives() -> None:
    rng = np.random.default_rng(2)
    frame = log(20_000)
    coupon = np.where((frame["buy"].to_numpy() == 1) & (rng.random(20_000) < 0.3), "used", "none")
    finding = only(
        check(frame.with_columns(leak=pl.Series(coupon)), categorical=["leak"]), "outcome-leakage"
    )
    assert finding.severity == "warning"
    assert "has values that only rows with" in finding.message


def test_ids_and_good_features_are_no_leaks() -> None:
    rng = np.random.default_rng(3)
    rows = 20_000
    quality = rng.normal(size=rows)
    click = rng.random(rows) < 1 / (1 + np.exp(-2 * quality))
    buy = click & (rng.random(rows) < 1 / (1 + np.exp(1 - quality)))
    frame = pl.DataFrame(
        {
            "click": click.astype(int),
            "buy": buy.astype(int),
            "shop": np.arange(rows),  # its own value in every row
            "session": np.arange(rows) // 2,
            "user": rng.integers(0, 3000, rows),
            "price": quality,
        }
    )
    report = check(frame, categorical=["shop", "session", "user"])
    assert "outcome-leakage" not in codes(report)


def test_a_sample_of_a_large_log_still_shows_the_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "UNCLICKED_ROWS", 500)
    monkeypatch.setattr(leakage, "CLICKED_ROWS", 400)
    monkeypatch.setattr(leakage, "CONVERTED_ROWS", 300)
    finding = only(check(with_leak("spend"), numeric=["price", "leak"]), "outcome-leakage")
    assert "judged on a sample of 1,200 rows" in finding.message
    assert "outcome-leakage" not in codes(check(log()))


def test_spend_of_hillstrom_leaks(shared_data: Path) -> None:
    schema = LogSchema.parse(
        {
            "click": "visit",
            "conversion": "conversion",
            "categorical": ["history_segment", "mens", "womens", "zip_code", "newbie", "channel"],
            "numeric": ["recency", "history", "spend"],
            "ignore": ["segment"],
        }
    )
    report = check_log(schema, open_log(shared_data / "hillstrom" / "hillstrom.csv"))
    assert report.funnel["train"] == Funnel(64_000, 9_394, 578)
    assert [(f.code, f.column) for f in report.findings] == [("outcome-leakage", "spend")]
    assert report.errors


def test_split_overlap_by_key() -> None:
    train = log().with_columns(id=pl.int_range(ROWS))
    test = log(seed=1).with_columns(id=pl.int_range(ROWS) + ROWS - 7)
    finding = only(check(train, test, key="id"), "split-overlap")
    assert (finding.severity, finding.rows) == ("warning", 7)
    assert "split-overlap" not in codes(check(train, test.slice(7), key="id"))
    pairs = check(train, test, key=["id", "shop"])
    shared = train.join(test, on=["id", "shop"]).height
    assert sum(f.rows for f in pairs.findings if f.code == "split-overlap") == shared


def test_overlap_of_many_keys_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = row_hash(0, 100_000, seed=3, stream=1)
    a, b = KeySketch(5000), KeySketch(3000)
    for part in np.split(keys, 10):
        a.add(part)
    for part in np.split(np.tile(keys[50_000:], 2), 10):
        b.add(part)
    rows, followed = b.rows_in(a)
    assert followed < 0.1
    assert abs(rows - 100_000) < 10_000
    both = KeySketch(3000)
    both.add(keys[:50_000])
    half = KeySketch(3000)
    half.add(keys[50_000:])
    both.merge(half)
    assert abs(b.rows_in(both)[0] - 100_000) < 10_000
    monkeypatch.setattr(overlap, "MAX_KEYS", 1)
    assert "split-overlap" in codes(check(log().with_columns(id=1), log(), key="shop"))


def test_time_overlap() -> None:
    train = log().with_columns(day=pl.int_range(ROWS))
    test = log(seed=1).with_columns(day=pl.int_range(ROWS) + ROWS - 10)
    finding = only(check(train, test, time="day"), "time-overlap")
    assert (finding.column, finding.rows) == ("day", 10)
    assert "time-overlap" not in codes(check(train, test.slice(10), time="day"))


def test_the_report_does_not_change() -> None:
    frame = with_leak("spend").with_columns(again=pl.col("shop"))
    reports = [check(frame, log(seed=2), numeric=["price", "leak"], key="shop") for _ in range(2)]
    assert reports[0] == reports[1]
    assert [f.severity for f in reports[0].findings] == sorted(
        (f.severity for f in reports[0].findings), key=["error", "warning", "info"].index
    )


def test_sums_of_chunks_are_the_sums_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = LogSchema.parse({**BASE, "categorical": ["shop", "again", "one"]})
    frame = log().with_columns(again=pl.col("shop"), one=pl.lit("1"))
    frame = frame.with_columns(price=pl.when(pl.int_range(ROWS) % 9 > 0).then("price"))
    whole, merged = ColumnChecks(schema), ColumnChecks(schema)
    labels, parts = LabelCounts(), LabelCounts()
    canonical = frame.rename({"buy": "conversion"})
    whole.add(canonical)
    labels.add(canonical)
    for part in canonical.iter_slices(701):
        other, counts = ColumnChecks(schema), LabelCounts()
        other.add(part)
        counts.add(part)
        merged.merge(other)
        parts.merge(counts)
    assert labels == parts
    assert (whole.rows, whole.missing, whole.constant) == (
        merged.rows,
        merged.missing,
        merged.constant,
    )
    assert whole.equal == merged.equal
    assert checks_columns.MOSTLY_MISSING > whole.missing_share("price") > 0
    spans = TimeSpan(), TimeSpan()
    spans[0].add(pl.Series([1.0, None]))
    spans[1].add(pl.Series([3.0]))
    spans[0].merge(spans[1])
    assert spans[0].latest == 3.0


def test_a_hash_sample_is_uniform_and_free_of_chunks() -> None:
    rows = 20_000
    hashes = row_hash(0, rows, seed=1, stream=2)
    frame = pl.DataFrame({"x": np.arange(rows)})

    def sample(size: int) -> pl.DataFrame:
        made, merged = HashSample(500), HashSample(500)
        for first in range(0, rows, size):
            part = HashSample(500)
            chunk, mine = frame.slice(first, size), hashes[first : first + size]
            for target in (made, part):
                mask = target.accept(mine)
                target.put(chunk.filter(pl.Series(mask)), mine[mask])
            merged.merge(part)
        assert made.frame().equals(merged.frame())
        assert made.seen == merged.seen == rows
        return made.frame()

    whole = sample(rows)
    assert whole.height == 500
    assert whole.equals(sample(333))
    assert set(whole[HASH]) == set(np.sort(hashes)[:500])
    assert abs(float(whole["x"].mean()) - rows / 2) < 4 * rows / np.sqrt(12 * 500)  # type: ignore[arg-type]


def test_grouped_auc_is_the_weighted_auc() -> None:
    rng = np.random.default_rng(0)
    groups, label, weight = rng.integers(0, 9, 300), rng.random(300) < 0.4, rng.random(300)
    score = np.round(rng.random(9), 1)  # with ties
    positive = np.bincount(groups, weight * label, minlength=9)
    negative = np.bincount(groups, weight * ~label, minlength=9)
    expected = roc_auc_score(label, score[groups], sample_weight=weight)
    assert grouped_auc(score, positive, negative) == pytest.approx(expected, abs=1e-12)
    assert grouped_auc(score, positive, 0 * negative) == 0.5
