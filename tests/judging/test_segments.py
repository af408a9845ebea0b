"""Metrics per value of a feature, against the raw rows and metrics of these rows by other means."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from rich.console import Console
from sklearn.metrics import log_loss, roc_auc_score  # type: ignore[import-untyped]

from helpers.mixed_log import MIXED, mixed_log
from helpers.runs import small_settings
from postclick import LogSchema, prepare
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.judging import segments
from postclick.judging.feature_values import DISTINCT
from postclick.judging.judge import Judgement, judge
from postclick.judging.segments import FeatureSegments, Segment
from postclick.judging.terminal_tables import footnotes, tables
from postclick.judging.value_names import MISSING, OTHERS, UNKNOWN
from postclick.methods.base import Method
from postclick.runs.build import build_method

ALL = ["user", "shop", "size", "Grün/é", "price", "spend", "age"]


def few(values: Any) -> pl.Series:
    """Three numbers, one of them negative, one that is no short decimal."""
    return pl.Series(np.array([-2.5, 0.0, 1 / 3])[np.asarray(values) % 3])


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    frame = mixed_log(4_000)
    return frame.with_columns(few=few(frame["user"]))


@pytest.fixture(scope="module")
def log(raw: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    schema = LogSchema.parse({**MIXED, "numeric": [*MIXED["numeric"], "few"]})
    splits = LogSplits(schema, FrameSource(raw[:2_500]), FrameSource(raw[2_500:]))
    return prepare(splits, tmp_path_factory.mktemp("mixed") / "data", shard_rows=400)


@pytest.fixture(scope="module")
def method(log: PreparedLog) -> Method[Any]:
    made = build_method(small_settings("esmm"), log)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="module")
def judged(method: Method[Any], log: PreparedLog) -> dict[str, FeatureSegments]:
    found = judge(method, log, "test", batch_size=333, by=[*ALL, "few"], top=15)
    return {one.feature: one for one in found.by}


def stored(log: PreparedLog) -> pl.DataFrame:
    """The prepared test rows, read by other means."""
    return pl.concat(pl.read_parquet(log.folder / shard.file) for shard in log.split("test").shards)


def values(segment: Segment) -> dict[tuple[str, str], float | None]:
    return {(metric.metric, metric.space): metric.value for metric in segment.metrics}


def test_every_row_is_in_one_segment(judged: dict[str, FeatureSegments], raw: pl.DataFrame) -> None:
    test = raw[2_500:]
    for one in judged.values():
        assert sum(segment.rows for segment in one.segments) == test.height
        assert sum(segment.clicks for segment in one.segments) == test["click"].sum()
        assert sum(segment.conversions for segment in one.segments) == test["buy"].sum()
        assert all(segment.rows for segment in one.segments)


@pytest.mark.parametrize("name", ["shop", "Grün/é"])
def test_values_are_those_of_the_raw_log(
    judged: dict[str, FeatureSegments], raw: pl.DataFrame, name: str
) -> None:
    counts = raw[2_500:].group_by(name).agg(pl.len(), pl.col("click").sum(), pl.col("buy").sum())
    told = {str(value): tuple(rest) for value, *rest in counts.rows()}
    found = judged[name].segments
    assert judged[name].kind == "categorical"
    mine = {s.value: (s.rows, s.clicks, s.conversions) for s in found}
    if name == "shop":  # "7" and "7.0" are one value, "NULL" is none
        told[UNKNOWN] = told.pop("NULL")
        told["7"] = tuple(map(sum, zip(told["7"], told.pop("7.0"), strict=True)))
    assert mine == told
    assert [s.rows for s in found] == sorted((s.rows for s in found), reverse=True)


def test_the_top_values_are_shown_and_the_others_summed(
    judged: dict[str, FeatureSegments], raw: pl.DataFrame
) -> None:
    counts = raw[2_500:]["user"].value_counts().sort("count", descending=True)
    *top, others = judged["user"].segments
    assert [segment.rows for segment in top] == counts["count"].head(15).to_list()
    assert others.value == OTHERS
    assert (others.values, others.rows) == (counts.height - 15, counts["count"][15:].sum())


def test_metrics_are_those_of_the_rows(
    judged: dict[str, FeatureSegments], log: PreparedLog, method: Method[Any]
) -> None:
    rows, frame = log.rows("test"), stored(log)
    with torch.no_grad():
        prediction = method.eval().predict(rows.take(torch.arange(len(rows))))
    p, q = (logit.double().sigmoid().numpy() for logit in prediction[:2])
    click, v = (frame[name].to_numpy() == 1 for name in ("click", "conversion"))
    names = pl.read_parquet(log.folder / "vocabularies" / "shop.parquet")
    for segment in judged["shop"].segments:
        known = names.filter(pl.col("value") == segment.value)
        mine = frame["shop"].to_numpy() == (known["id"][0] if known.height else 0)
        c = mine & click
        got = values(segment)
        assert got["ctr_auc", "entire"] == pytest.approx(roc_auc_score(click[mine], p[mine]))
        assert got["cvr_auc", "clicked"] == pytest.approx(roc_auc_score(v[c], q[c]))
        assert got["cvr_nll", "clicked"] == pytest.approx(log_loss(v[c], q[c]))
        assert got["cvr_pcoc", "clicked"] == pytest.approx(q[c].sum() / v[c].sum())
        assert got["ctcvr_pcoc", "entire"] == pytest.approx((p * q)[mine].sum() / v.sum(where=mine))


def test_sums_over_segments_are_those_of_all(
    judged: dict[str, FeatureSegments], log: PreparedLog, method: Method[Any]
) -> None:
    whole = {(m.metric, m.space): m for m in judge(method, log, "test").metrics}
    for one in judged.values():
        for key in (("ctr_nll", "entire"), ("cvr_bias_recorded", "entire")):
            parts = [(values(segment)[key] or 0.0) * segment.rows for segment in one.segments]
            assert sum(parts) == pytest.approx(whole[key].value * whole[key].rows, rel=1e-9)
        assert {pair for s in one.segments for pair in values(s)} == whole.keys()


@pytest.mark.parametrize("name", ["price", "spend"])
def test_numbers_fall_into_buckets_of_equal_frequency(
    judged: dict[str, FeatureSegments], raw: pl.DataFrame, name: str
) -> None:
    column = raw[2_500:][name]
    assert judged[name].kind == "numeric"
    *found, last = judged[name].segments
    if column.null_count():
        assert (last.value, last.rows) == (MISSING, column.null_count())
    else:
        found.append(last)
    assert len(found) == 10
    assert max(s.rows for s in found) - min(s.rows for s in found) <= 2
    bounds = [tuple(map(float, s.value.split(" to "))) for s in found]
    assert bounds == sorted(bounds)
    # Beyond the limits of the training range a number counts as the limit.
    column = column.clip(bounds[0][0], bounds[-1][1])
    for segment, (low, high) in zip(found, bounds, strict=True):
        slack = 2e-5 * max(1.0, abs(low), abs(high))  # six digits are shown
        inside = column.is_between(low - slack, high + slack).sum()
        assert inside >= segment.rows
        assert inside <= segment.rows + 4
    assert bounds[0][0] == pytest.approx(column.min(), rel=2e-5)
    assert bounds[-1][1] == pytest.approx(column.max(), rel=2e-5)


def test_few_numbers_are_shown_one_by_one(
    judged: dict[str, FeatureSegments], raw: pl.DataFrame
) -> None:
    counts = raw[2_500:]["few"].value_counts().sort("few")
    found = judged["few"].segments
    assert [s.value for s in found] == ["-2.5", "0", "0.333333"]
    assert [s.rows for s in found] == counts["count"].to_list()


def test_bins_say_their_edges(judged: dict[str, FeatureSegments], raw: pl.DataFrame) -> None:
    ages = raw[2_500:]["age"]
    found = judged["age"].segments
    assert judged["age"].kind == "numeric" and len(found) == 8
    edges = [float(s.value.split()[0]) for s in found[1:]]
    assert found[0].value == f"below {edges[0]:g}"
    assert found[1].value == f"{edges[0]:g} to below {edges[1]:g}"
    assert found[-1].value == f"{edges[-1]:g} and above"
    bounds = [-np.inf, *edges, np.inf]
    for segment, low, high in zip(found, bounds[:-1], bounds[1:], strict=True):
        assert segment.rows == ((ages >= low) & (ages < high)).sum()


def test_many_bins_are_put_together(raw: pl.DataFrame, tmp_path: Path) -> None:
    numeric = [{"name": "spend", "transform": "quantile", "bins": 64}]
    schema = LogSchema.parse(
        {"click": "click", "conversion": "buy", "numeric": numeric, "categorical": ["shop"]}
    )
    splits = LogSplits(schema, FrameSource(raw[:2_500]), FrameSource(raw[2_500:]))
    log = prepare(splits, tmp_path / "data")
    method = build_method(small_settings("esmm"), log)
    ((found,),) = (judge(method, log, "test", by=["spend"]).by,)
    assert DISTINCT < 64 and len(found.segments) == 10
    spend = raw[2_500:]["spend"]
    low = [float(s.value.split()[0]) for s in found.segments[1:]]
    bounds = [-np.inf, *low, np.inf]
    for segment, start, end in zip(found.segments, bounds[:-1], bounds[1:], strict=True):
        assert segment.rows == ((spend >= start) & (spend < end)).sum()


def test_pieces_of_a_segment_change_nothing(
    method: Method[Any],
    log: PreparedLog,
    judged: dict[str, FeatureSegments],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(segments, "CHUNK_ROWS", 37)
    (found,) = judge(method, log, "test", by=["shop"], top=15).by
    for segment, whole in zip(found.segments, judged["shop"].segments, strict=True):
        assert (segment.value, segment.rows) == (whole.value, whole.rows)
        for pair, value in values(segment).items():
            wanted = values(whole)[pair]
            assert value == (None if wanted is None else pytest.approx(wanted, rel=1e-9, abs=1e-12))


def test_truth_is_cut_too(small_log: PreparedLog) -> None:
    method = build_method(small_settings("naive"), small_log)
    judgement = judge(method, small_log, "test", by=["category"])
    (found,) = judgement.by
    rows = sum(segment.rows for segment in found.segments)
    bias = sum((values(s)["cvr_bias", "entire"] or 0.0) * s.rows for s in found.segments)
    whole = judgement.value("cvr_bias", "entire")
    assert bias / rows == pytest.approx(whole, rel=1e-9)
    assert json.loads(json.dumps(judgement.as_dict()))["by"]["category"]["kind"] == "categorical"


@pytest.mark.parametrize(
    ("by", "top", "message"),
    [
        (["nosuch"], 20, "no feature 'nosuch' to judge by; there are: user, shop, size, Grün/é"),
        (["history"], 20, "feature 'history' has several values for each impression"),
        (["click"], 20, "no feature 'click'"),
        (["shop"], 0, "top is 0: give 1 or more"),
    ],
)
def test_what_rows_cannot_be_cut_by_is_one_line(
    method: Method[Any], log: PreparedLog, by: list[str], top: int, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        judge(method, log, "test", by=by, top=top)
    assert "\n" not in str(caught.value)


def printed(judgement: Judgement) -> str:
    console = Console(width=220, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for table in tables(judgement.by):
        console.print(table)
    return console.export_text()


def test_tables_show_each_value_and_metric(method: Method[Any], log: PreparedLog) -> None:
    judgement = judge(method, log, "test", by=["shop", "user"], top=2)
    text = printed(judgement)
    assert "By shop: recorded labels" in text and "By user: recorded labels" in text
    others = judgement.by[1].segments[-1]
    line = next(line for line in text.splitlines() if f"(others), {others.values} values" in line)
    for value in (f"{others.rows:,}", f"{others.clicks:,}", f"{others.conversions:,}"):
        assert value in line
    assert f"{values(others)['ctr_auc', 'entire']:.4f}" in line
    assert "truth" not in text
    assert footnotes(judgement.by) == []


def test_undefined_figures_are_dashes(small_log: PreparedLog) -> None:
    method = build_method(small_settings("naive"), small_log)
    judgement = judge(method, small_log, "test", by=["user"], top=300)
    text = printed(judgement)
    assert "By user: against known truth" in text
    assert any(" - " in line for line in text.splitlines())
    assert footnotes(judgement.by) == ["-: undefined there; metrics.json says why."]
