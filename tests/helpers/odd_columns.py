"""Columns as logs have them, each kind in many spellings, for drafts of schemas."""

import json
from collections.abc import Callable

import numpy as np
import polars as pl

Rng = np.random.Generator
Labels = tuple[np.ndarray, np.ndarray]


def some_labels(rng: Rng, rows: int) -> Labels:
    """bool [rows] each: clicks, and conversions among them."""
    click = rng.random(rows) < 0.4
    return click, click & (rng.random(rows) < 0.4)


def _holes(rng: Rng, values: list, token: object, part: float = 0.05) -> list:
    return [token if rng.random() < part else value for value in values]


def _lists(rng: Rng, rows: int) -> list[list[int]]:
    return [rng.integers(0, 30, n).tolist() for n in rng.integers(0, 6, rows)]


def _integers(lists: list[list[int]]) -> pl.Series:
    return pl.Series(lists, dtype=pl.List(pl.Int64))


def _ids(rng: Rng, low: int, high: int, rows: int, values: int = 200) -> np.ndarray:
    return rng.integers(low, high, values)[rng.integers(0, values, rows)]


def _words(rng: Rng, rows: int, *more: str) -> list[str]:
    return rng.choice([*(f"w{k}" for k in range(20)), *more], rows).tolist()


def _prices(rng: Rng, rows: int) -> list[str]:
    return [f"{x:.2f}" for x in rng.lognormal(2, 1, rows)]


def _moments(rng: Rng, rows: int, form: str) -> list[str]:
    start = np.datetime64("2026-01-05T00:00:00")
    stamps = [(start + np.timedelta64(int(s), "s")).item() for s in rng.integers(0, 10**6, rows)]
    return [stamp.strftime(form) for stamp in stamps]


def _bytes(rng: Rng, rows: int) -> pl.Series:
    return pl.Series([w.encode() for w in _words(rng, rows)], dtype=pl.Binary)


def _records(rng: Rng, rows: int) -> pl.Series:
    return pl.Series([{"os": w, "v": 1} for w in _words(rng, rows)])


KINDS: dict[str, Callable[[Rng, int], object]] = {
    "few": lambda r, n: r.integers(0, 5, n),
    "whole": lambda r, n: r.integers(0, 300, n),
    "negative": lambda r, n: r.integers(-300, 300, n),
    "real": lambda r, n: r.normal(size=n),
    "skewed": lambda r, n: np.exp(4 * r.normal(size=n)),
    "sentinel": lambda r, n: np.where(r.random(n) < 0.1, -999, r.integers(18, 90, n)),
    "huge": lambda r, n: np.where(r.random(n) < 0.1, 1e200, r.random(n)),
    "infinite": lambda r, n: np.where(r.random(n) < 0.1, np.inf, r.random(n)),
    "nan": lambda r, n: np.where(r.random(n) < 0.1, np.nan, r.random(n)),
    "hash": lambda r, n: _ids(r, -(2**63), 2**63 - 1, n),
    "hash text": lambda r, n: [str(x) for x in _ids(r, -(2**63), 2**63 - 1, n)],
    "unsigned": lambda r, n: _ids(r, 0, 2**63 - 1, n).astype(np.uint64) * np.uint64(2),
    "bool": lambda r, n: r.random(n) < 0.5,
    "bool text": lambda r, n: np.where(r.random(n) < 0.5, "True", "false"),
    "word": _words,
    "spaced": lambda r, n: [f" {w} " for w in _words(r, n)],
    "suspicious": lambda r, n: _words(r, n, "NA", "-", "none"),
    "null words": lambda r, n: _words(r, n, "NULL", "\\N", ""),
    "codes": lambda r, n: [f"{k:05d}" for k in r.integers(0, 900, n)],
    "versions": lambda r, n: [f"{a}.{b}" for a, b in r.integers(0, 30, (n, 2))],
    "price": _prices,
    "price NA": lambda r, n: _holes(r, _holes(r, _prices(r, n), "NA"), "-"),
    "price null": lambda r, n: _holes(r, _prices(r, n), "NULL"),
    "price token": lambda r, n: _holes(r, _prices(r, n), "unknown"),
    "price token NA": lambda r, n: _holes(r, _holes(r, _prices(r, n), "n. a."), "NA"),
    "price odd": lambda r, n: ["ten", *_prices(r, n)[1:]],
    "price commas": lambda r, n: [f"{x:,.0f}" for x in r.lognormal(8, 2, n)],
    "price dollars": lambda r, n: [f"${x}" for x in _prices(r, n)],
    "exponents": lambda r, n: [f"{x:e}" for x in r.lognormal(2, 1, n)],
    "row number": lambda r, n: r.permutation(n),
    "list": lambda r, n: _integers(_lists(r, n)),
    "list text": lambda r, n: [str(x) for x in _lists(r, n)],
    "list json": lambda r, n: [json.dumps([f"a{k}" for k in x]) for x in _lists(r, n)],
    "list python": lambda r, n: [str(tuple(f"a{k}" for k in x)) for x in _lists(r, n)],
    "list pipes": lambda r, n: ["|".join(map(str, x)) for x in _lists(r, n)],
    "list commas": lambda r, n: [", ".join(map(str, x)) for x in _lists(r, n)],
    "list quoted": lambda r, n: [",".join(f'"{k}"' for k in x) for x in _lists(r, n)],
    "list odd": lambda r, n: ["(a)", *["|".join(map(str, x)) for x in _lists(r, n)[1:]]],
    "list dates": lambda r, n: _integers(_lists(r, n)).cast(pl.List(pl.Int32)).cast(
        pl.List(pl.Date)
    ),
    "list lists": lambda r, n: pl.Series(
        [[x] for x in _lists(r, n)], dtype=pl.List(pl.List(pl.Int64))
    ),
    "list records": lambda r, n: pl.Series(
        [[{"a": k} for k in x] for x in _lists(r, n)], dtype=pl.List(pl.Struct({"a": pl.Int64}))
    ),
    "json": lambda r, n: [json.dumps({"a": int(k)}) for k in r.integers(0, 50, n)],
    "vector": lambda r, n: pl.Series(r.normal(size=(n, 6)).tolist()),
    "vector array": lambda r, n: pl.Series(r.normal(size=(n, 6)), dtype=pl.Array(pl.Float32, 6)),
    "vector holes": lambda r, n: pl.Series(
        [None if r.random() < 0.1 else x for x in r.normal(size=(n, 6)).tolist()]
    ),
    "vector text": lambda r, n: [str(x.tolist()) for x in r.normal(size=(n, 6))],
    "vector numpy": lambda r, n: [str(x) for x in r.normal(size=(n, 4)).round(3)],
    "vector pipes": lambda r, n: ["|".join(map(str, x)) for x in r.normal(size=(n, 6))],
    "array": lambda r, n: pl.Series(r.integers(0, 9, (n, 3)), dtype=pl.Array(pl.Int64, 3)),
    "date": lambda r, n: pl.Series(20_000 + r.integers(0, 40, n)).cast(pl.Date),
    "moment": lambda r, n: pl.Series(r.integers(1, 10**15, n)).cast(pl.Datetime("us", "UTC")),
    "clock": lambda r, n: pl.Series(r.integers(0, 86_399, n) * 10**9).cast(pl.Time),
    "duration": lambda r, n: pl.Series(r.integers(0, 10**9, n)).cast(pl.Duration("us")),
    "iso": lambda r, n: _moments(r, n, "%Y-%m-%d %H:%M:%S"),
    "iso day": lambda r, n: _moments(r, n, "%Y-%m-%d"),
    "us date": lambda r, n: _moments(r, n, "%m/%d/%Y"),
    "log date": lambda r, n: _moments(r, n, "%d/%b/%Y:%H:%M:%S"),
    "day number": lambda r, n: 20_260_101 + r.integers(0, 28, n),
    "milliseconds": lambda r, n: 1_700_000_000_000 + r.integers(0, 10**9, n),
    "bytes": _bytes,
    "record": _records,
    "empty": lambda r, n: pl.Series([None] * n, dtype=pl.String),
    "null": lambda r, n: pl.Series([None] * n, dtype=pl.Null),
    "constant": lambda r, n: ["x"] * n,
    "enum": lambda r, n: pl.Series(_words(r, n)).cast(pl.Categorical),
    "decimal": lambda r, n: pl.Series(_prices(r, n)).cast(pl.Decimal(20, 2)),
    "titles": lambda r, n: [f"{a} shoes for {b}" for a, b in zip(_words(r, n), _words(r, n),
                                                                strict=True)],
    "urls": lambda r, n: [f"https://{a}.com/{b}" for a, b in zip(_words(r, n), _words(r, n),
                                                                strict=True)],
}  # fmt: skip
NAMES = (
    *("user_id", "userId", "item", "price", "age", "score", "order_value", "purchase_time", "dt"),
    *("position", "page", "sample_weight", "session", "request_id", "time", "created_at", "hour"),
    *("history", "history_weights", "tags", "tags_weight", "yes", "101", "a: b # c", "~", "null"),
    *("click_count", "avg_order_value", "revenue", "dwell_time", "true_cvr", "group_hash", "x y"),
    *("price__missing", "__row", "\u00e9t\u00e9", "\u2028line", "tab\there", "'quoted'", "[x]"),
    *("potential_conversion", "like", "weight", "timestamp", "date", "category", "size", "brand"),
)


def odd_log(seed: int, rows: int = 600) -> tuple[pl.DataFrame, dict[str, str]]:
    """A log with labels and 12 columns of any kind under any name, and the kind of each."""
    rng = np.random.default_rng(seed)
    click, buy = some_labels(rng, rows)
    names = rng.choice(NAMES, 12, replace=False).tolist()
    kinds = rng.choice(list(KINDS), 12).tolist()
    columns = {n: KINDS[k](rng, rows) for n, k in zip(names, kinds, strict=True)}
    frame = pl.DataFrame({"click": click, "buy": buy, "shop": rng.integers(0, 9, rows)})
    frame = frame.with_columns(
        (values if isinstance(values, pl.Series) else pl.Series(values)).alias(name)
        for name, values in columns.items()
    )
    shape = rng.integers(0, 4)
    bought = pl.Series("buy", buy)
    if shape == 1:  # as a left join gives it
        bought = bought.cast(pl.Int64).set(pl.Series(~click), None)
    elif shape == 2:
        bought = bought.cast(pl.Int64).set(pl.Series(~buy), None)
    elif shape == 3:
        bought = bought.cast(pl.Float64) * 9.5
    return frame.with_columns(bought), dict(zip(names, kinds, strict=True))
