"""Requests of a server and files: one bundle gives one value the same score."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.runs import small_settings
from postclick import export, prepare, score, train
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.refusal import Refusal

BIG = 1234567890123456789
SCHEMA: dict[str, Any] = {
    "click": "click",
    "conversion": "buy",
    "categorical": ["vip", "user", "size", {"name": "version", "verbatim": True}],
    "numeric": ["price"],
    "multi": [{"name": "seen", "separator": "|"}],
}
ROWS: dict[str, list[Any]] = {
    "vip": [True, False, True, None],
    "user": [BIG, BIG + 1, 7, None],
    "size": [36.5, 37.0, 0.0, 36.5],
    "version": ["10.1", "10.10", "10.1", "true"],
    "price": [7.0, 2.5, 0.0, None],
    "seen": [[7, 20], [], [BIG], None],
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained from CSV with True and False, 37.0, and lists as text."""
    folder = tmp_path_factory.mktemp("requests")
    rng = np.random.default_rng(0)
    lines = ["vip,user,size,version,price,seen,click,buy"]
    for row in rng.integers(0, 4, 800):
        vip, user, size, version, price, seen = (ROWS[name][row] for name in ROWS)
        click = rng.random() < (0.8 if vip else 0.2)
        buy = click and rng.random() < 0.5
        cells = [vip, user, size, version, price, "|".join(map(str, seen or [])), click, buy]
        lines.append(",".join("" if cell is None else str(cell) for cell in cells))
    log = folder / "log.csv"
    log.write_text("\n".join(lines) + "\n")
    data = prepare(LogSplits(LogSchema.parse(SCHEMA), log), folder / "data")
    run = train(data, small_settings("naive"), folder / "run")
    return Bundle.open(export(run, folder / "bundle").folder, threads=1)


def of_json(bundle: Bundle, rows: dict[str, Sequence[Any]]) -> list[tuple[float, ...]]:
    body = json.dumps({"rows": rows}).encode()
    return bundle.predict(parse_json(body, bundle.features, Limits()).rows).frame().rows()


@pytest.fixture(scope="module")
def expected(bundle: Bundle) -> list[tuple[float, ...]]:
    scores = bundle.score(pl.DataFrame(ROWS)).rows()
    assert len(set(scores)) == 4
    return scores


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("vip", ["True", "False", "TRUE", None]),
        ("vip", ["true", " false", "true", "N/A"]),
        ("user", [str(BIG), str(BIG + 1), "7.0", ""]),
        ("user", [BIG, BIG + 1, 7.0, None]),  # of which a float would round two into one
        ("size", ["36.50", "37", "0e+00", "3.65e+01"]),
        ("size", [36.5, 37, 0, 36.5]),
        ("price", [7, 2.5, 0, None]),
        ("price", ["7.0", "2.50", "-0", "NA"]),
        ("seen", ["7|20", "", str(BIG), None]),
        ("seen", [["7", "20.0"], [], [str(BIG)], None]),
        ("seen", [[7.0, 20], [], [BIG], None]),
    ],
)
def test_json_in_any_writing(
    bundle: Bundle, expected: list[tuple[float, ...]], column: str, values: list[Any]
) -> None:
    assert of_json(bundle, {**ROWS, column: values}) == expected


def test_files_and_arrow(bundle: Bundle, expected: list[tuple[float, ...]], tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS)
    frame.write_parquet(tmp_path / "log.parquet")
    frame.write_ndjson(tmp_path / "log.jsonl")
    frame.with_columns(pl.col("seen").cast(pl.List(pl.String)).list.join("|")).write_csv(
        tmp_path / "log.csv"
    )
    for name in ("log.parquet", "log.jsonl", "log.csv"):
        out = score(bundle, open_log(tmp_path / name), tmp_path / "scores.parquet").out
        assert pl.read_parquet(out).rows() == expected, name
    body = io.BytesIO()
    frame.write_ipc_stream(body)
    sent = parse_arrow(body.getvalue(), bundle.features, Limits())
    assert bundle.predict(sent.rows).frame().rows() == expected


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("user", [BIG, 0.5, 7, None], f"'user' has {BIG} among decimals, which round it"),
        ("user", [2**70, 1, 2, 3], "'user' has an integer that does not fit in 64 bits"),
        ("vip", [True, "true", None, None], "'vip' mixes text and true/false"),
        ("vip", [True, 1, None, None], "'vip' mixes integers and true/false"),
        ("seen", [[7, "a"], [], [], []], "'seen' mixes integers and text"),
    ],
)
def test_what_no_column_holds_is_refused_by_name(
    bundle: Bundle, column: str, values: list[Any], says: str
) -> None:
    with pytest.raises(Refusal, match=says):
        of_json(bundle, {**ROWS, column: values})


def test_verbatim_text_is_looked_up_by_the_letter(
    bundle: Bundle, expected: list[tuple[float, ...]]
) -> None:
    """Its vocabulary is not rewritten as one of an older version would be."""
    other = of_json(bundle, {**ROWS, "version": ["10.10", "10.1", "10.100", "True"]})
    assert all(a != b for a, b in zip(other, expected, strict=True))
    enum = pl.DataFrame(ROWS).with_columns(pl.col("version").cast(pl.Categorical))
    assert bundle.score(enum).rows() == expected


def test_ids_among_decimals_in_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"user": {BIG}}}\n{{"user": 0.5}}\n{{"user": {BIG + 1}}}\n')
    (frame,) = open_log(path).frames(["user"])
    assert frame["user"].to_list() == [str(BIG), "0.5", str(BIG + 1)]
