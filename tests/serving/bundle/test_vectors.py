"""Vectors and hashed values in bundles: the same scores as torch, from every kind of request."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from helpers.expected_scores import expected_scores, largest_difference
from helpers.runs import small_settings
from helpers.vector_log import KINDS, SIZE, vector_log
from postclick.calibration.probabilities import PREDICTIONS
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.errors import InputError
from postclick.runs.run import Run
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.bundle.bundle_files import BUNDLE
from postclick.serving.http.app.openapi import score_body_schema
from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal
from postclick.serving.score_log import score

TEST = vector_log(400, seed=1)
ROWS = TEST.head(30)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    from postclick import prepare

    sources = FrameSource(vector_log(2_000)), FrameSource(TEST)
    out = tmp_path_factory.mktemp("vectors") / "data"
    return prepare(LogSplits(LogSchema.parse(KINDS), *sources), out)


def trained(data: PreparedLog, out: Path, method: str, *overrides: str) -> Run:
    from postclick import train

    return train(data, small_settings(method, *overrides), out)


@pytest.fixture(scope="module")
def run(data: PreparedLog) -> Run:
    run = trained(data, data.folder.parent / "run", "esmm")
    run.evaluate(data, keep_predictions=True)
    return run


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    from postclick import export

    return export(run, run.folder.parent / "bundle")


def arrow_stream(frame: pl.DataFrame, kind: pa.DataType | None = None) -> bytes:
    table = frame.to_arrow()
    if kind is not None:
        place = table.schema.get_field_index("image")
        lists = pa.array(frame["image"].to_list(), kind)
        table = table.set_column(place, "image", pa.chunked_array([lists]))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("method", "backbone", "numeric"),
    [
        ("esmm", "share_bottom", "concat"),
        ("esmm", "mmoe", "project"),
        ("evi", "share_bottom", "project"),
        ("evi", "dcn_v2", "concat"),
        ("choruscvr", "mmoe", "concat"),
        ("choruscvr", "ple", "project"),
    ],
)
def test_the_graph_says_what_torch_says(
    data: PreparedLog, method: str, backbone: str, numeric: str, tmp_path: Path
) -> None:
    """With a user's vector read apart, too: `export` compares 1, 7 and 1000 rows of each."""
    from postclick import export

    settings = (f"backbone={backbone}", f"numeric={numeric}")
    run = trained(data, tmp_path / "run", method, *settings)
    users = ("image", "ad", "text")
    bundle = export(run, tmp_path / "bundle", user_features=users)
    assert bundle.info.parity.largest_difference < 1e-6
    # A flag that is projected with the other numbers keeps its vector with them.
    apart = ("ad", "image", "text") if numeric == "concat" else ("ad", "text")
    assert bundle.info.user_features == apart
    user, candidates = ROWS.select(users).head(1), ROWS.drop(users)
    joined = candidates.hstack([column.new_from_index(0, 30) for column in user])
    one, other = bundle.score_candidates(user, candidates), bundle.score(joined)
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), atol=1e-6)


def test_scores_are_those_of_the_run(run: Run, data: PreparedLog, bundle: Bundle) -> None:
    difference = largest_difference(expected_scores(run, data, TEST), bundle.score(TEST))
    assert difference < 1e-5


@pytest.mark.parametrize("kind", ["list", "large_list", "fixed", "fixed32"])
def test_json_and_arrow_say_what_the_frame_says(bundle: Bundle, kind: str, tmp_path: Path) -> None:
    frame = ROWS.select(bundle.features)
    # Numbers that float32 holds as well.
    short = frame["image"].list.eval(pl.element().cast(pl.Float32).round(2).cast(pl.Float32))
    frame = frame.with_columns(short.cast(pl.List(pl.Float64)) if kind != "fixed32" else short)
    expected = bundle.score(frame)
    types = {
        "list": pa.list_(pa.float64()),
        "large_list": pa.large_list(pa.float64()),
        "fixed": pa.list_(pa.float64(), SIZE),
        "fixed32": pa.list_(pa.float32(), SIZE),
    }
    body = json.dumps({"rows": frame.to_dicts()}).encode()
    of_columns = json.dumps({"rows": frame.to_dict(as_series=False)}).encode()
    for sent in (
        parse_json(body, bundle.features, Limits()),
        parse_json(of_columns, bundle.features, Limits()),
        parse_arrow(arrow_stream(frame, types[kind]), bundle.features, Limits()),
    ):
        assert bundle.predict(sent.rows).frame().equals(expected)
    frame.write_parquet(tmp_path / "rows.parquet")
    score(bundle, tmp_path / "rows.parquet", tmp_path / "scores.parquet")
    assert pl.read_parquet(tmp_path / "scores.parquet").equals(expected)


def test_the_users_part_may_hold_a_vector(bundle: Bundle) -> None:
    users = ["image", "ad"]
    user, candidates = ROWS.select(users).head(1), ROWS.drop(users).select("user", "price", "text")
    joined = candidates.hstack([column.new_from_index(0, 30) for column in user])
    expected = bundle.score(joined)
    parts = {"user": user.to_dicts()[0], "candidates": candidates.to_dicts()}
    sent = parse_json(json.dumps(parts).encode(), bundle.features, Limits())
    assert bundle.predict(sent.rows, sent.user).frame().equals(expected)
    body = arrow_stream(user, pa.list_(pa.float64(), SIZE)) + arrow_stream(candidates)
    sent = parse_arrow(body, bundle.features, Limits())
    assert bundle.predict(sent.rows, sent.user).frame().equals(expected)


def test_an_unseen_value_is_hashed_and_a_missing_one_is_not(bundle: Bundle) -> None:
    frame = ROWS.with_columns(pl.lit("never seen").alias("ad"))
    ids = bundle.encode(frame, ["ad"]).ids[:, 1]
    assert len(set(ids.tolist())) == 1
    assert 1 <= ids[0] <= 300
    assert (bundle.encode(frame.with_columns(ad=None), ["ad"]).ids[:, 1] == 0).all()
    for kind in (pl.Int64, pl.Float64, pl.String, pl.UInt64):
        same = ROWS.with_columns(pl.col("ad").cast(kind))
        np.testing.assert_array_equal(
            bundle.encode(same, ["ad"]).ids, bundle.encode(ROWS, ["ad"]).ids
        )


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([1.0, 2.0], f"1 rows hold 2 elements instead of {SIZE}: send vectors of the size"),
        (["x"] * SIZE, "6 values are not numbers"),
        ("1, 2", "name the separator"),
    ],
)
def test_wrong_vectors_are_refused_in_one_line(bundle: Bundle, image: Any, message: str) -> None:
    row = {**ROWS.drop("click", "buy").to_dicts()[0], "image": image}
    sent = parse_json(json.dumps({"rows": [row]}).encode(), bundle.features, Limits())
    with pytest.raises(InputError, match=message):
        bundle.predict(sent.rows)


def test_lists_of_no_fixed_size_or_of_text_are_refused(bundle: Bundle) -> None:
    for kind, values in ((pa.list_(pa.float32(), 0), []), (pa.list_(pa.string(), 1), ["a"])):
        table = pa.table({"image": pa.array([values] * 3, kind), "user": [1, 2, 3]})
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        with pytest.raises(Refusal, match="a list of a fixed number of integers or floats"):
            parse_arrow(sink.getvalue(), bundle.features, Limits())


def test_nan_in_an_arrow_vector_is_refused_and_below_a_null_is_not(bundle: Bundle) -> None:
    frame = ROWS.select(bundle.features)
    values = np.full((30, SIZE), 0.5)
    values[4, 2] = np.nan
    for missing, refused in ((4, False), (5, True)):
        mask = pa.array([row == missing for row in range(30)])
        lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), SIZE, mask=mask)
        table = frame.to_arrow().set_column(
            frame.columns.index("image"), "image", pa.chunked_array([lists])
        )
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        if refused:
            with pytest.raises(Refusal, match="has nan"):
                parse_arrow(sink.getvalue(), bundle.features, Limits())
            continue
        sent = parse_arrow(sink.getvalue(), bundle.features, Limits())
        rows = [None if row == missing else [0.5] * SIZE for row in range(30)]
        expected = frame.with_columns(pl.Series("image", rows))
        assert bundle.predict(sent.rows).frame().equals(bundle.score(expected))


def test_the_bundle_tells_of_them(bundle: Bundle) -> None:
    assert bundle.vector_sizes == {"image": SIZE, "text": 2}
    assert bundle.info.format == 3
    content = json.loads((bundle.folder / BUNDLE).read_text())
    assert [vector["name"] for vector in content["vectors"]] == ["image", "text"]
    body = score_body_schema(Limits(), bundle.features, bundle.vector_sizes)
    schema = body["requestBody"]["content"]["application/json"]["schema"]
    record = schema["anyOf"][0]["properties"]["candidates"]["anyOf"][0]["items"]
    vector = record["properties"]["image"]["anyOf"][0]
    assert (vector["minItems"], vector["maxItems"]) == (SIZE, SIZE)
    assert set(record["properties"]) == set(bundle.features)


def test_calibrated_scores_stay_probabilities(run: Run, data: PreparedLog, tmp_path: Path) -> None:
    from postclick import calibrate, export

    calibrate(run, data)
    scores = export(run, tmp_path / "bundle").score(TEST)
    assert scores.columns == list(PREDICTIONS)
    assert all(scores[name].is_between(0, 1).all() for name in PREDICTIONS)


def test_rows_with_a_decimal_comma_keep_their_vectors(bundle: Bundle) -> None:
    assert bundle.reading(",")._encoder.layout == bundle._encoder.layout
