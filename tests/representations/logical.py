"""Logical logs: columns of values that are meant, before they are written in any format.

What two cells have in common is told by Python's own types (bool, int, Decimal, date, datetime in
UTC, stripped text) and by nothing of the library.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

Values = list[Any]
Rng = np.random.Generator

_WORDS = (
    *("a", "shoes", "Shoes", "red shoes", "Größe", "日本", "🚲", "00501", "007", "0", "NA", "-"),
    *("none", "yes", "No", "12e4", "1e5x", "+5", "0x1f", "10.0.0.1", "1.2.3", "1_000", "T", "e3"),
    *("Infinity War", "true story", "nan1", "2026-13", "a,b", 'say "x"', "it's", "[b", "x;y"),
    *("é", "é", "5 %", "1/2", "--", "#1", "null island", "-00", "00.5x", "1:2", "3.x", "E5"),
    *("two\nlines", "tab\tin", "a" * 300, "\\n", "{}", "01.5", "0012.50", "12:5", "1 000"),
)
_VERBATIM = ("1", "1.0", "1.00", "10.1", "10.10", "true", "True", "1e3", "1000", "2026-01-05T00:00")


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        role: where the schema lists it: categorical, verbatim, numeric, ids (a list) or weighted.
        draw: a pool of different values that are meant.
    """

    name: str
    role: str
    draw: Callable[[Rng], Values]


def _integers(low: int, high: int, count: int = 8) -> Callable[[Rng], Values]:
    """Different whole numbers of any size, both ends among them."""

    def draw(rng: Rng) -> Values:
        span = high - low + 1
        some = {low + int(rng.integers(0, 2**62)) * 7 % span for _ in range(count)}
        return sorted(some | {low, high})

    return draw


def _floats(rng: Rng) -> Values:
    pool = [0.0, 1.0, 2.5, -2.5, 0.1, 5e-07, 1e20, 1.5e16, 1e-300, 2.0**53, 2.0**63, -(2.0**63)]
    pool += [1e300, 123456.789, 0.30000000000000004, 1 / 3, -7.0, 1e15, 1e16, 1e22, 3e-5, 0.00012]
    pool += [float(x) for x in rng.normal(size=4)] + [float(x) for x in rng.integers(0, 99, 4)]
    return [pool[k] for k in rng.permutation(len(pool))[:10]]


def _decimals(rng: Rng) -> Values:
    pool = {Decimal(int(c)).scaleb(-2) for c in rng.integers(-500, 99_999, 6)}
    pool |= {Decimal("19.9"), Decimal("20"), Decimal("0.5"), Decimal("0")}
    if rng.random() < 0.3:
        pool |= {Decimal("12345678901234567890.25"), Decimal("-0.0000001")}
    return sorted(pool)


def _from(pool: tuple[str, ...]) -> Callable[[Rng], Values]:
    return lambda rng: [pool[k] for k in rng.permutation(len(pool))[:9]]


def _dates(rng: Rng) -> Values:
    some = [date(2026, 1, 1) + timedelta(int(d)) for d in rng.integers(-30_000, 30_000, 6)]
    return list(dict.fromkeys([*some, date(1970, 1, 1), date(2024, 2, 29)]))


def _moments(rng: Rng) -> Values:
    steps = rng.choice([1, 1_000, 1_000_000, 3_600_000_000, 86_400_000_000])
    first = datetime(2026, 3, 28, tzinfo=UTC) - timedelta(days=int(rng.integers(0, 20_000)))
    some = [first + timedelta(microseconds=int(k) * int(steps)) for k in rng.integers(0, 999, 7)]
    return list(dict.fromkeys([*some, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]))


def _clocks(rng: Rng) -> Values:
    some = [time(int(h), int(m), 5) for h, m in zip(*rng.integers(0, 24, (2, 5)), strict=True)]
    return list(dict.fromkeys([*some, time(0), time(23, 59, 59, 500_000)]))


def _lists(pool: Callable[[Rng], Values]) -> Callable[[Rng], Values]:
    """Lists of the values of a pool, an empty one among them."""

    def draw(rng: Rng) -> Values:
        items = pool(rng)
        lengths = rng.integers(0, 5, 7)
        found = [[items[k] for k in rng.integers(0, len(items), n)] for n in lengths]
        return [*found, []]

    return draw


_PLAIN_WORDS = ("a", "red shoes", "日本", "00501", "NA", "x;y", "12e4", "a/b", "Größe")
_QUOTED_WORDS = (*_PLAIN_WORDS, "b, c", "d,e", "f]")

KINDS = (
    Kind("flag", "categorical", lambda rng: [True, False]),
    Kind("age", "categorical", _integers(-20, 120)),
    Kind("user", "categorical", _integers(10**18, 2**63 - 1)),
    Kind("item", "categorical", _integers(0, 2**64 - 1)),
    Kind("hash", "categorical", _integers(-(2**63), 2**63 - 1)),
    Kind("size", "categorical", _floats),
    Kind("whole", "categorical", lambda rng: [float(x) for x in _integers(-5, 2**40)(rng)]),
    Kind("rate", "categorical", _decimals),
    Kind("shop", "categorical", _from(_WORDS)),
    Kind("version", "verbatim", _from(_VERBATIM)),
    Kind("day", "categorical", _dates),
    Kind("at", "categorical", _moments),
    Kind("clock", "categorical", _clocks),
    Kind("price", "numeric", lambda rng: [x for x in _floats(rng) if abs(x) < 1e30]),
    Kind("cost", "numeric", _decimals),
    Kind("count", "numeric", _integers(-3, 2**52)),
    Kind("member", "numeric", lambda rng: [True, False]),
    Kind("seen", "ids", _lists(_integers(0, 2**62))),
    Kind("ratings", "ids", _lists(lambda rng: [1.0, 2.5, -0.5, 4.0, 1e20])),
    Kind("tags", "ids", _lists(_from(_PLAIN_WORDS))),
    Kind("titles", "ids", _lists(_from(_QUOTED_WORDS))),
    Kind("clicked", "weighted", _lists(_integers(0, 40))),
)


@dataclass(frozen=True)
class LogicalLog:
    """Values of some columns, None where one is missing, with their labels.

    Attributes:
        missing: the schema's setting: None, or the tokens that stand for a missing value.
        brackets: whether lists that are text are written like [7, 20], else split at "|".
    """

    seed: int
    kinds: tuple[Kind, ...]
    columns: dict[str, Values]
    weights: dict[str, Values]
    click: list[int]
    conversion: list[int | None]
    missing: tuple[str, ...] | None
    decimal: str
    brackets: bool

    @property
    def rows(self) -> int:
        return len(self.click)

    def schema(self) -> dict[str, Any]:
        """For `LogSchema.parse`."""
        of_role: dict[str, list[str]] = {}
        for kind in self.kinds:
            of_role.setdefault(kind.role, []).append(kind.name)
        transforms = {"price": "standardize", "cost": "log1p", "count": "quantile"}
        written: dict[str, Any] = {"brackets": True} if self.brackets else {"separator": "|"}
        bags = [{"name": name, **written} for name in of_role.get("ids", ())]
        bags += [
            {"name": name, "weights": f"{name} w", "pooling": "sum", "max_length": 3, **written}
            for name in of_role.get("weighted", ())
        ]
        verbatim = [{"name": name, "verbatim": True} for name in of_role.get("verbatim", ())]
        data: dict[str, Any] = {
            "click": "click",
            "conversion": "conversion",
            "categorical": [*of_role.get("categorical", ()), *verbatim],
            "numeric": [
                {"name": name, "transform": transforms.get(name, "standardize")}
                for name in of_role.get("numeric", ())
            ],
            "multi": bags,
            "group": (of_role.get("categorical") or [None])[0],
        }
        if self.missing is not None:
            data["missing"] = list(self.missing)
        if self.decimal != ".":
            data["read"] = {"decimal": self.decimal}
        return data


def draw_log(seed: int) -> LogicalLog:
    """The log of a seed: 10 to 40 rows of 4 to 9 kinds of columns, with gaps."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(10, 40))
    chosen = sorted(rng.permutation(len(KINDS))[: rng.integers(4, 10)])
    kinds = tuple(KINDS[k] for k in chosen)
    brackets = bool(rng.random() < 0.5)
    if not brackets:  # a separator cannot be told from one within quotes
        kinds = tuple(kind for kind in kinds if kind.name != "titles")
    missing = (("-1", "?", "null"), ("-1", "?"))[rng.integers(0, 2)] if rng.random() < 0.2 else None
    decimal = "," if rng.random() < 0.1 else "."
    columns: dict[str, Values] = {}
    weights: dict[str, Values] = {}
    for kind in kinds:
        pool = [value for value in kind.draw(rng) if not _is_token(value, missing)]
        if kind.name == "shop" and missing == ("-1", "?"):
            pool += ["null", "NULL", "NaN", "None"]  # no token says that these are missing
        gaps = rng.random() < 0.6
        values = [pool[k] for k in rng.integers(0, len(pool), rows)]
        columns[kind.name] = [None if gaps and rng.random() < 0.2 else value for value in values]
        if kind.role == "weighted":
            weights[kind.name] = [
                value and [float(w) for w in rng.integers(1, 40, len(value)) / 8]
                for value in columns[kind.name]
            ]
    click = [int(c) for c in rng.random(rows) < 0.5]
    buy = [int(c and rng.random() < 0.5) for c in click]
    some = rng.random() < 0.3  # as a left join leaves them
    conversion = [None if some and not c else b for c, b in zip(click, buy, strict=True)]
    return LogicalLog(seed, kinds, columns, weights, click, conversion, missing, decimal, brackets)


def _is_token(value: Any, missing: tuple[str, ...] | None) -> bool:
    """Whether a value is one that the schema takes for a missing one."""
    if missing is None or isinstance(value, list):
        return missing is not None and any(_is_token(one, missing) for one in value)
    return value in missing or (not isinstance(value, str | bool) and value == -1)


def identity(value: Any) -> Hashable:
    """What two cells of a column have in common if they are one value; None for a missing one.

    >>> identity(3.0) == identity(Decimal("3.00")) == identity(3), identity(True) == identity(1)
    (True, False)
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, float):
        # What a float is meant to be is the shortest decimal that is read as it.
        value = Decimal(int(value)) if value.is_integer() else Decimal(repr(value))
    if isinstance(value, int | Decimal):
        return "number", Decimal(value)
    if isinstance(value, datetime):
        return "moment", value.astimezone(UTC)
    if isinstance(value, date):
        return "moment", datetime(value.year, value.month, value.day, tzinfo=UTC)
    return type(value).__name__, value.strip() if isinstance(value, str) else value
