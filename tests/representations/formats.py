"""Every format that holds a log: files, frames and requests, each in types drawn from a seed."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from postclick.data.lookup.raw_rows import RawRows
from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import open_log
from postclick.data.read.tables.in_memory import as_source
from postclick.serving.http.body.arrow_body import parse_arrow
from postclick.serving.http.body.arrow_schema import arrow_layout
from postclick.serving.http.body.json_body import parse_json
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.body.user_and_rows import UserAndRows
from representations.dtypes import arrays, exact
from representations.logical import Kind, LogicalLog, Rng, Values
from representations.pandas_dtypes import series_ways
from representations.texts import spellings, text_gaps

LABELS = Kind("label", "label", lambda rng: [0, 1])
WEIGHTS = Kind("weights", "weighted", lambda rng: [])
LIMITS = Limits()


@dataclass
class Written:
    """A log in one format.

    Attributes:
        source: it, opened, where it may be prepared from.
        request: what the server would read, where it is a request.
        kinds: how each column is written.
    """

    source: Callable[[], LogSource] | None = None
    request: Callable[[list[str]], UserAndRows] | None = None
    kinds: dict[str, str] = field(default_factory=dict)

    def parts(self, features: list[str]) -> list[UserAndRows]:
        """The rows as scoring takes them, in pieces."""
        if self.request is not None:
            return [self.request(features)]
        assert self.source is not None
        return [UserAndRows(None, RawRows(frame)) for frame in self.source().frames(features)]


Columns = dict[str, tuple[Kind, Values]]


def columns_of(log: LogicalLog, *, labels: bool = True) -> Columns:
    found: Columns = {kind.name: (kind, log.columns[kind.name]) for kind in log.kinds}
    found |= {f"{name} w": (WEIGHTS, values) for name, values in log.weights.items()}
    if labels:
        found |= {"click": (LABELS, log.click), "conversion": (LABELS, log.conversion)}
    return found


def _pick(rng: Rng, ways: dict[str, Any]) -> tuple[str, Any]:
    names = list(ways)
    name = names[rng.integers(0, len(names))]
    return name, ways[name]


def _texts(log: LogicalLog, rng: Rng, *, labels: bool = True) -> tuple[dict[str, list[str]], dict]:
    cells, kinds = {}, {}
    for name, (kind, values) in columns_of(log, labels=labels).items():
        if kind is LABELS:
            ways: dict[str, Any] = {
                "1": str,
                "1.0": lambda v: f"{v}.0",
                "True": lambda v: str(bool(v)),
                "' 1'": lambda v: f" {v}",
                "true": lambda v: str(bool(v)).lower(),
            }
            if log.decimal == ",":
                del ways["1.0"]
        else:
            ways = spellings(kind, log, values)
        kinds[name], way = _pick(rng, ways)
        cells[name] = text_gaps(kind, values, way, log, rng)
    return cells, kinds


def csv(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    """Quoted where it has to be, or everywhere; lines end as on Unix or Windows."""
    cells, kinds = _texts(log, rng)
    everywhere, end = bool(rng.random() < 0.3), ("\r\n" if rng.random() < 0.3 else "\n")

    def cell(text: str) -> str:
        plain = not any(mark in text for mark in ',"\n\r') and not everywhere
        return text if plain else '"' + text.replace('"', '""') + '"'

    path = folder / "log.csv"
    rows = zip(*cells.values(), strict=True)
    lines = [",".join(map(cell, cells)), *(",".join(map(cell, row)) for row in rows)]
    path.write_bytes((end.join(lines) + end).encode())
    return Written(lambda: open_log(path), kinds=kinds)


def _arrays(
    log: LogicalLog, rng: Rng, *, labels: bool = True, taken: bool = False
) -> tuple[pa.Table, dict[str, str]]:
    """Arrays of drawn types, some of text; `taken`: of types that requests may have."""
    found, kinds = {}, {}
    for name, (kind, values) in columns_of(log, labels=labels).items():
        if kind is LABELS:
            ways = {
                **arrays(Kind("", "categorical", kind.draw), values),
                "bool": lambda v=values: pa.array([None if x is None else bool(x) for x in v]),
            }
        else:
            ways = arrays(kind, values, "." if log.brackets else log.decimal)
        if taken:
            ways = {
                how: make
                for how, make in ways.items()
                if not how.endswith(" nan") and arrow_layout(make().type) is not None
            }
        if kind is not LABELS and (not ways or rng.random() < 0.15):
            spell, way = _pick(rng, spellings(kind, log, values))
            cells = text_gaps(kind, values, way, log, rng)
            gaps = [
                None if v is None and rng.random() < 0.5 else c
                for v, c in zip(values, cells, strict=True)
            ]
            kinds[name], found[name] = f"text {spell}", pa.array(gaps, pa.string())
            continue
        if kind.role == "verbatim":
            ways = {k: way for k, way in ways.items() if "string" in k}
        kinds[name], make = _pick(rng, ways)
        found[name] = make()
    return pa.table(found), kinds


def parquet(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    table, kinds = _arrays(log, rng)
    path = folder / "log.parquet"
    # Without its own schema the file has the types of Parquet alone.
    pq.write_table(table, path, row_group_size=16, store_schema=bool(rng.random() < 0.7))
    return Written(lambda: open_log(path), kinds=kinds)


def arrow_table(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    table, kinds = _arrays(log, rng)
    return Written(lambda: as_source(table), kinds=kinds)


def polars_frame(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    """Types that polars alone has: Categorical, Enum, Array; several chunks."""
    table, kinds = _arrays(log, rng)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    for name, column in frame.to_dict().items():
        if column.dtype == pl.String and rng.random() < 0.4:
            levels = pl.Enum(column.unique().drop_nulls().sort())
            kind = pl.Categorical() if rng.random() < 0.5 else levels
            frame = frame.with_columns(column.cast(kind))
            kinds[name] += f" {kind!r}"[:12]
    cut = int(rng.integers(1, frame.height))
    frame = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    return Written(lambda: as_source(frame), kinds=kinds)


def _python(kind: Kind, values: Values, rng: Rng) -> tuple[str, list[Any]]:
    """Values of Python for JSON: what its types hold exactly."""
    present = [value for value in values if value is not None]
    if kind is LABELS:
        how = ("int", "bool", "float")[rng.integers(0, 3)]
        make = {"int": int, "bool": bool, "float": float}[how]
        return how, [None if v is None else make(v) for v in values]
    if kind.role in ("ids", "weighted"):
        return "list", list(values)
    if present and isinstance(present[0], int | float) and not isinstance(present[0], bool):
        meant = [None if value is None else exact(value) for value in values]
        floats = all(m is None or exact(float(m)) == m for m in meant)
        whole = all(m is None or m == m.to_integral_value() for m in meant)
        ways = [*(["int"] if whole else []), *(["float", "mixed"] if floats else [])]
        ways = [w for w in ways if w != "int" or all(m is None or abs(m) < 2**63 for m in meant)]
        how = ways[rng.integers(0, len(ways))] if ways else "int"
        return how, [_number(m, how, rng) for m in meant]
    if present and not isinstance(present[0], bool | str):
        return "", []
    return type(present[0]).__name__ if present else "null", list(values)


def _number(meant: Any, how: str, rng: Rng) -> Any:
    if meant is None:
        return None
    whole = meant == meant.to_integral_value()
    if how == "int" or (how == "mixed" and whole and abs(meant) < 2**53 and rng.random() < 0.5):
        return int(meant)
    return float(meant)


def _json_columns(
    log: LogicalLog, rng: Rng, *, labels: bool
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    found, kinds = {}, {}
    for name, (kind, values) in columns_of(log, labels=labels).items():
        how, sent = _python(kind, values, rng)
        if not how or (kind is not LABELS and rng.random() < 0.3):
            spell, way = _pick(rng, spellings(kind, log, values))
            sent = text_gaps(kind, values, way, log, rng)
            sent = [
                None if v is None and rng.random() < 0.5 else c
                for v, c in zip(values, sent, strict=True)
            ]
            how = f"text {spell}"
        found[name], kinds[name] = sent, how
    return found, kinds


def json_request(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    """Records or columns; what is equal in all rows may be the user's."""
    columns, kinds = _json_columns(log, rng, labels=False)
    user: dict[str, Any] = {}
    if rng.random() < 0.5:
        for name, values in list(columns.items()):
            same = all(value == values[0] for value in values) and len(set(map(type, values))) == 1
            if same and len(columns) > 1:
                user[name] = columns.pop(name)[0]
    rows: Any = columns
    if rng.random() < 0.6:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    sent = {"user": user, "candidates": rows} if user else {"rows": rows}
    body = json.dumps(sent, ensure_ascii=bool(rng.random() < 0.5)).encode()
    return Written(request=lambda features: parse_json(body, features, LIMITS), kinds=kinds)


def arrow_request(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    """One stream in one or two batches."""
    # Now and then as a log is, to be refused.
    table, kinds = _arrays(log, rng, labels=False, taken=bool(rng.random() < 0.9))
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=int(rng.integers(8, 64)))
    body = sink.getvalue()
    return Written(request=lambda features: parse_arrow(body, features, LIMITS), kinds=kinds)


def _pandas(log: LogicalLog, rng: Rng, style: str) -> Written:
    columns, kinds = {}, {}
    for name, (kind, values) in columns_of(log).items():
        how, column = _pick(rng, series_ways(kind, values, style))
        columns[name], kinds[name] = column(), how
    frame = pd.DataFrame(columns)
    return Written(lambda: as_source(frame), kinds=kinds)


def ipc_file(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    table, kinds = _arrays(log, rng)
    path = folder / "log.arrow"
    options = ipc.IpcWriteOptions(compression=("zstd", "lz4", None)[rng.integers(0, 3)])
    with ipc.new_file(str(path), table.schema, options=options) as file:
        file.write_table(table, max_chunksize=16)
    return Written(lambda: open_log(path), kinds=kinds)


def json_lines(log: LogicalLog, rng: Rng, folder: Path) -> Written:
    columns, kinds = _json_columns(log, rng, labels=True)
    path = folder / "log.jsonl"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if rng.random() < 0.5:  # a key that is not there is a missing value
        rows = [rows[0], *({k: v for k, v in row.items() if v is not None} for row in rows[1:])]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return Written(lambda: open_log(path), kinds=kinds)


Format = Callable[[LogicalLog, Rng, Path], Written]
FORMATS: dict[str, Format] = {
    "csv": csv,
    "parquet": parquet,
    "JSON lines": json_lines,
    "Arrow IPC": ipc_file,
    "arrow": arrow_table,
    "polars": polars_frame,
    "pandas numpy": lambda log, rng, folder: _pandas(log, rng, "numpy"),
    "pandas nullable": lambda log, rng, folder: _pandas(log, rng, "nullable"),
    "pandas categorical": lambda log, rng, folder: _pandas(log, rng, "categorical"),
    "pandas object": lambda log, rng, folder: _pandas(log, rng, "object"),
    "JSON request": json_request,
    "Arrow request": arrow_request,
}
