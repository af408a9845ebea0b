from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from postclick.data.check.check_log import check_log
from postclick.data.check.propose import propose_schema
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema, ReadSettings
from postclick.errors import InputError

ROWS = 3000


def log() -> dict[str, object]:
    rng = np.random.default_rng(0)
    click = rng.random(ROWS) < 0.4
    buy = click & (rng.random(ROWS) < 0.3)
    return {
        "is_click": click.astype(int),
        "purchase_label": buy.astype(int),
        "shop_id": rng.integers(0, 100, ROWS),
    }


def draft(columns: dict[str, object]) -> tuple[LogSchema, str]:
    text = propose_schema(FrameSource(pl.DataFrame(columns)))
    return LogSchema.parse(yaml.safe_load(text)), text


def test_hillstrom(shared_data: Path) -> None:
    text = propose_schema(open_log(shared_data / "hillstrom" / "hillstrom.csv"))
    schema = LogSchema.parse(yaml.safe_load(text))
    assert (schema.click.column, schema.conversion.column) == ("visit", "conversion")
    assert schema.ignore == ("spend",)
    line = next(line for line in text.splitlines() if "spend" in line)
    assert "# predicts conversion" in line
    assert [f.name for f in schema.numeric] == ["history"]
    assert len(schema.categorical) == 8


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (["request_id", "userId"], "userId"),
        (["session", "user_age"], "session"),
        (["user_city", "shop"], None),
    ],
)
def test_a_group_is_proposed_but_not_chosen(names: list[str], proposed: str | None) -> None:
    rng = np.random.default_rng(2)
    schema, text = draft({**log(), **{name: rng.integers(0, 300, ROWS) for name in names}})
    lines = [line for line in text.splitlines() if "group:" in line]
    assert schema.group is None
    if proposed is None:
        assert lines == []
        return
    assert len(lines) == 1
    assert lines[0].startswith(f"# group: {proposed}  # ")
    chosen = yaml.safe_load(text.replace("# group:", "group:"))
    assert LogSchema.parse(chosen).group == proposed


def test_a_column_of_row_numbers_is_no_group() -> None:
    assert "group:" not in draft({**log(), "request_id": np.arange(ROWS)})[1]


def test_kinds_of_columns() -> None:
    rng = np.random.default_rng(1)
    lists = [rng.integers(0, 40, n).astype(str).tolist() for n in rng.integers(0, 5, ROWS)]
    weights = [rng.random(len(one)).tolist() for one in lists]
    columns = {
        **log(),
        "age": rng.integers(18, 90, ROWS),
        "price": np.exp(3 * rng.normal(size=ROWS)),
        "zip": [f"{k:05d}" for k in rng.integers(0, 900, ROWS)],
        "history": lists,
        "history_weights": weights,
        "tags": ["|".join(one) for one in lists],
        "request": rng.permutation(ROWS),
        "one": "x",
        "void": pl.Series([None] * ROWS, dtype=pl.String),
        "same": log()["shop_id"],
        "timestamp": rng.integers(1_600_000_000, 1_700_000_000, ROWS),
        "dwell": np.where(log()["is_click"] == 1, rng.random(ROWS), 0),  # type: ignore[comparison-overlap]
        "true_ctr": rng.random(ROWS),
        "potential_conversion": rng.integers(0, 2, ROWS),
        "101": rng.integers(0, 3, ROWS),
        "yes": rng.integers(0, 3, ROWS),
        "a: b # c": rng.integers(0, 3, ROWS),
    }
    schema, text = draft(columns)
    assert (schema.click.column, schema.conversion.column) == ("is_click", "purchase_label")
    assert [f.name for f in schema.categorical] == ["shop_id", "zip", "101", "yes", "a: b # c"]
    assert {f.name: f.transform for f in schema.numeric} == {"age": "standardize", "price": "log1p"}
    bags = {f.name: (f.separator, f.weights) for f in schema.multi}
    assert bags == {"history": (None, "history_weights"), "tags": ("|", None)}
    assert set(schema.ignore) == {"request", "one", "void", "same", "dwell"}
    assert schema.time == "timestamp"
    assert (schema.truth.ctr, schema.truth.cvr) == ("true_ctr", None)
    assert schema.truth.conversion == "potential_conversion"
    for name, why in (("request", "own value"), ("one", "same in every row"), ("dwell", "click")):
        line = next(line for line in text.splitlines() if line.startswith(f"  - {name}  #"))
        assert why in line


def test_a_log_read_from_csv_gives_the_same_draft(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({**log(), "price": rng.random(ROWS), "age": rng.integers(0, 9, ROWS)})
    frame.write_csv(tmp_path / "log.csv")
    drafts = [propose_schema(s) for s in (FrameSource(frame), open_log(tmp_path / "log.csv"))]
    assert drafts[0].splitlines()[1:] == drafts[1].splitlines()[1:]


def test_the_funnel_tells_a_label_without_a_name() -> None:
    columns = log()
    columns["y2"] = columns.pop("purchase_label")
    columns["other"] = np.random.default_rng(3).integers(0, 2, ROWS)
    assert draft(columns)[0].conversion.column == "y2"


def test_a_name_alone_does_not_make_a_label() -> None:
    columns = {"click_count": np.arange(ROWS) % 5, "sale_order": np.arange(ROWS) % 2, **log()}
    schema, _ = draft(columns)
    assert (schema.click.column, schema.conversion.column) == ("is_click", "purchase_label")


def test_conversions_without_a_click_are_mentioned() -> None:
    columns = log()
    buy = np.array(columns["purchase_label"])
    buy[np.flatnonzero(np.array(columns["is_click"]) == 0)[:5]] = 1
    _, text = draft({**columns, "purchase_label": buy})
    assert '5 without a click: correct them, or prepare with on_bad_rows="keep"' in text


def test_what_is_assumed_is_said() -> None:
    class Noted(FrameSource):
        notes = ("log.csv is read with separator ';'",)
        decimal = ","

    text = propose_schema(Noted(pl.DataFrame({**log(), "price": ["1,5", "2,25", "3,0"] * 1000})))
    assert "# Assumed: log.csv is read with separator ';'.\n" in text
    assert "# Assumed: click and conversion are told by their names" in text
    schema = LogSchema.parse(yaml.safe_load(text))
    assert schema.read.decimal == ","
    assert [f.name for f in schema.numeric] == ["price"]
    named = propose_schema(FrameSource(pl.DataFrame(log())), "is_click", "purchase_label")
    assert "Assumed" not in named


def test_how_text_is_read_stands_in_the_draft(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    pl.DataFrame(log()).write_csv(path, separator=";", include_header=False)
    read = ReadSettings(separator=";", header=("is_click", "purchase_label", "shop_id"))
    schema = LogSchema.parse(yaml.safe_load(propose_schema(open_log(path, read=read), read=read)))
    assert schema.read == read
    assert check_log(schema, open_log(path, read=schema.read)).errors == ()


def test_a_log_without_rows_or_features_is_refused() -> None:
    with pytest.raises(InputError, match="frame: no rows: give a log with rows"):
        draft({"click": pl.Series([], dtype=pl.Int64), "buy": pl.Series([], dtype=pl.Int64)})
    labels = {k: v for k, v in log().items() if k != "shop_id"}
    with pytest.raises(InputError, match="'one' is the same in every row: write a schema"):
        draft({**labels, "one": "x"})


def test_a_truth_column_with_other_values_is_none() -> None:
    wrong = draft({**log(), "true_ctr": np.arange(ROWS) % 50})
    assert wrong[0].truth.ctr is None
    assert "true_ctr  # prepared data uses this name itself" in wrong[1]
