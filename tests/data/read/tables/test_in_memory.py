"""Frames of every make as logs: the same values, or one clear line."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import postclick
from postclick.data.read import chunks
from postclick.data.read.opening import LogSource, open_log
from postclick.data.read.tables.in_memory import frame_with
from postclick.data.read.values.canonical_text import to_text
from postclick.data.schema import LogSchema
from postclick.errors import InputError

SCHEMA = {"click": "click", "conversion": "buy", "categorical": ["shop"]}


def read(source: LogSource, *columns: str) -> pl.DataFrame:
    return pl.concat(list(source.frames(columns or source.columns)))


class Capsule:
    """A table of some other library: it has the Arrow PyCapsule interface, and nothing else."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table(
    {"click": [1, 0, 1], "buy": [1, 0, 0], "shop": ["a", None, "b"], "h": [[1], [], None]}
)
MAKES: dict[str, Callable[[], Any]] = {
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "capsule": lambda: Capsule(TABLE),
    "polars": lambda: pl.from_arrow(TABLE),
    "lazy": lambda: pl.from_arrow(TABLE).lazy(),  # type: ignore[union-attr]
    "chunked": lambda: pa.concat_tables([TABLE.slice(0, 2), TABLE.slice(2)]),
}


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("chunk", [262_144, 2])
def test_it_is_read_again_and_again(make: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk)
    source = open_log(MAKES[make]())
    assert source.columns == ("click", "buy", "shop", "h")
    for _ in range(2):
        assert read(source).equals(pl.from_arrow(TABLE))
    assert read(source, "h", "shop").columns == ["h", "shop"]
    assert [frame.height for frame in source.frames(["shop"])] == ([3] if chunk > 3 else [2, 1])
    assert source.state() == open_log(MAKES[make]()).state()
    assert source.state() != open_log(TABLE.slice(1)).state()
    with pytest.raises(InputError, match="no column 'z'; it has click, buy"):
        read(source, "z")


@pytest.mark.parametrize("make", MAKES)
def test_every_verb_takes_it(make: str, tmp_path: Path) -> None:
    if make != "table":
        given = MAKES[make]()
        assert postclick.check_log(LogSchema.parse(SCHEMA), given).funnel["train"].clicks == 2
        return
    rng = np.random.default_rng(0)
    click = rng.integers(0, 2, 600)
    buy, shop = click * rng.integers(0, 2, 600), rng.choice(["a", "b", "c"], 600)
    given = log = pa.table({"click": click, "buy": buy, "shop": shop})
    report = postclick.check_log(LogSchema.parse(SCHEMA), given, test=[given, given])
    assert report.funnel["test"].rows == 1200
    assert "- shop  # 3 values" in postclick.propose_schema(given)
    prepared = postclick.prepare(postclick.open_splits(SCHEMA, given), tmp_path / "out")
    again = postclick.prepare(postclick.open_splits(SCHEMA, given), tmp_path / "out")
    assert prepared.fingerprint == again.fingerprint
    with pytest.raises(InputError, match="holds a prepared log of another request"):
        postclick.prepare(postclick.open_splits(SCHEMA, log.slice(1)), tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"click": [1]}, "a log cannot be a dict: give polars.DataFrame"),
        (pl.Series([1]), "a log is a table, not a Series: give all columns"),
        (pa.array([1]), "a log is a table, not a Int64Array"),
        (7, "a log cannot be a int: give a path, a URL, a polars"),
        ([], "no log given"),
        (pa.table([[1], [2]], names=["a", "a"]), "two columns are called 'a': rename one"),
    ],
)
def test_what_is_no_log(given: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_log(given)


def test_arrow_types() -> None:
    """Types that polars does not take are turned into ones that it does, or refused by name."""
    run_ends = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    table = pa.table(
        {
            "run": run_ends,
            "view": pa.array(["a", "b", None], pa.string_view()),
            "list_view": pa.array([[1], [], None], pa.list_view(pa.int64())),
            "coded": pa.array(["a", None, "b"]).dictionary_encode(),
            "numbers": pa.array([7, 7, None]).dictionary_encode(),
            "wide": pa.array([Decimal("1.50"), None, Decimal(2)], pa.decimal256(60, 2)),
            "binary": pa.array([b"a", None, "ü".encode()], pa.binary()),
            "bytes": pa.array([b"\xff", None, b"a"], pa.binary()),
            "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
            "json": pa.array(["{}", None, "[]"], pa.json_()),
        }
    )
    found = read(open_log(table))
    assert found["run"].to_list() == ["a", "a", "b"]
    assert found["view"].to_list() == ["a", "b", None]
    assert found["list_view"].to_list() == [[1], [], None]
    assert found["coded"].to_list() == ["a", None, "b"]
    assert found["numbers"].to_list() == [7, 7, None]
    assert found["wide"].to_list() == ["1.50", None, "2.00"]
    assert found["binary"].to_list() == ["a", None, "ü"]
    assert found["bytes"].dtype == pl.Binary
    assert found["fixed"].to_list() == ["ab", None, "cd"]
    assert found["json"].to_list() == ["{}", None, "[]"]
    odd = pa.table({"a": [1], "u": pa.array([b"\0" * 16], pa.uuid())})
    assert read(open_log(odd), "a").rows() == [(1,)], "refused only where it is needed"
    assert open_log(odd).state() is not None
    with pytest.raises(InputError, match="column 'u' holds .*uuid.*, which is not read: cast it"):
        read(open_log(odd))


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pl.Series([{"a": 1}]), r"holds records, .*: name a field of it, such as 'x\.a'"),
        (pl.Series([b"\xff"]), "holds binary values that are no text: cast it to text"),
        (pl.Series([[1]]), "list it under multi"),
        (pl.Series([[{"key": "a", "value": 1}]]), r"holds lists of records or .*: cast it to text"),
    ],
)
def test_what_is_no_single_value(column: pl.Series, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_text(column.alias("x"))


def test_the_fields_of_records() -> None:
    table = pa.table(
        {
            "device": [{"os": "a", "geo": {"city": "x"}}, None, {"os": None, "geo": None}],
            "device.os": ["own", "own", "own"],
            "maps": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        }
    )
    for make in (table, pl.from_arrow(table), pl.from_arrow(table).lazy()):  # type: ignore[union-attr]
        source = open_log(make)
        assert source.columns == ("device.geo.city", "device.os", "maps")
        found = read(source, "device.os", "device.geo.city")
        assert found.rows() == [("own", "x"), ("own", None), ("own", None)]
        with pytest.raises(InputError, match="no column 'device' .*it has device.geo.city"):
            read(source, "device")


def test_missing_records_hide_what_lies_beneath(tmp_path: Path) -> None:
    """A field of a missing record is missing, whatever Arrow stores there."""
    inner = pa.array(["a", "hidden"])
    record = pa.StructArray.from_arrays([inner], names=["os"], mask=pa.array([False, True]))
    assert read(open_log(pa.table({"device": record})))["device.os"].to_list() == ["a", None]
    log = pl.DataFrame({"device": [{"os": "a"}, None], "click": [1, 0]})
    log.write_parquet(tmp_path / "log.parquet")
    assert read(open_log(tmp_path / "log.parquet")).rows() == [("a", 1), (None, 0)]


def test_a_request_of_any_make() -> None:
    frame = pl.DataFrame({"shop": ["a"]})
    assert frame_with(frame, ["shop"]) is frame, "nothing is done where nothing has to be"
    assert frame_with(Capsule(TABLE), ["shop", "none"]).columns == ["shop"]
    nested = pl.DataFrame({"device": [{"os": "a"}], "b": [b"x"]})
    assert frame_with(nested, ["device.os", "b"]).rows() == [("a", "x")]


class TestPandas:
    """Columns of pandas frames."""

    @pytest.fixture(autouse=True)
    def _pandas(self) -> None:
        self.pd = pytest.importorskip("pandas")

    def column(self, values: Any, kind: Any = None) -> list[Any]:
        frame = self.pd.DataFrame({"x": self.pd.Series(values, dtype=kind)})
        return read(open_log(frame))["x"].to_list()

    def test_kinds_of_columns(self) -> None:
        nan, berlin = float("nan"), "Europe/Berlin"
        assert self.column([1, 2]) == [1, 2]
        assert self.column([1.0, nan]) == [1.0, None]
        assert self.column([1, None], "Int64") == [1, None]
        assert self.column([True, None], "boolean") == [True, None]
        assert self.column(["a", None], "string") == ["a", None]
        assert self.column(["a", None, nan], object) == ["a", None, None]
        assert self.column([True, None], object) == [True, None]
        assert self.column([1, nan, 2.5], object) == [1, None, 2.5]
        assert self.column([Decimal("1.5"), None], object) == [Decimal("1.5"), None]
        assert self.column(["a", "b", None], "category") == ["a", "b", None]
        assert self.column([3, None, 3], "category") == [3, None, 3]
        assert self.column([[1], None, np.array([2, 3])], object) == [[1], None, [2, 3]]
        assert self.column([1, None], self.pd.ArrowDtype(pa.int32())) == [1, None]
        moments = self.pd.to_datetime(["2026-01-01"]).tz_localize(berlin)
        assert self.column(moments)[0].isoformat() == "2026-01-01T00:00:00+01:00"
        assert self.column([dt.date(2026, 1, 1)], object) == [dt.date(2026, 1, 1)]

    def test_the_index_is_no_column(self) -> None:
        frame = self.pd.DataFrame({"x": [1, 2]}, index=self.pd.Index([7, 8], name="user"))
        assert open_log(frame).columns == ("x",)
        assert read(open_log(frame[frame.x == 2])).rows() == [(2,)]

    @pytest.mark.parametrize("values", [["a", 1], [1, "a"], [1, 2**70], [[1], ["a"]]])
    def test_mixed_columns_are_refused_and_the_mend_works(self, values: list[Any]) -> None:
        frame = self.pd.DataFrame({"x": self.pd.Series([*values, None], dtype=object), "y": 1})
        assert read(open_log(frame), "y").height == 3
        assert open_log(frame).state() is not None
        with pytest.raises(InputError, match=r"column 'x' of the frame is object with ") as caught:
            read(open_log(frame))
        mend = str(caught.value).split("write ")[1].split(", or")[0]
        frame["x"] = eval(mend, {"frame": frame})
        assert read(open_log(frame))["x"].to_list() == [*map(str, values), None]

    def test_names_of_columns(self) -> None:
        assert open_log(self.pd.DataFrame([[1, 2]])).columns == ("0", "1")
        with pytest.raises(InputError, match="two columns are called 'a'"):
            open_log(self.pd.DataFrame([[1, 2]], columns=["a", "a"]))
        with pytest.raises(InputError, match="has a name of several levels: join them"):
            open_log(self.pd.DataFrame([[1]], columns=self.pd.MultiIndex.from_tuples([("a", "b")])))

    def test_types_that_stand_for_no_value(self) -> None:
        periods = self.pd.Series(self.pd.period_range("2026-01", periods=1, freq="M"))
        frame = self.pd.DataFrame({"x": periods})
        with pytest.raises(InputError, match="column 'x' holds .*period.* cast it to text"):
            read(open_log(frame))
        with pytest.raises(InputError, match="column 'x' of the frame is complex"):
            read(open_log(self.pd.DataFrame({"x": [1j]})))

    def test_records(self) -> None:
        frame = self.pd.DataFrame({"device": [None, {"os": "a"}], "x": [1, 2]})
        assert read(open_log(frame)).rows() == [(None, 1), ("a", 2)]
        typed = self.pd.ArrowDtype(pa.struct({"os": pa.string()}))
        frame = self.pd.DataFrame({"device": self.pd.Series([{"os": "b"}], dtype=typed)})
        assert open_log(frame).columns == ("device.os",)
