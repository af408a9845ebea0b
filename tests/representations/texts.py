"""Every spelling of values as text that programs write."""

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from representations.logical import Kind, LogicalLog, Rng, Values

Spell = Callable[[Any], str]
# Empty text stands for a missing value in every log.
NULLS = ("", " ", "null", "NULL", "NaN", "\\N", "None", "N/A")


def spellings(kind: Kind, log: LogicalLog, values: Values) -> dict[str, Spell]:
    """By name, the ways to write a column, each of all its values.

    Those that write several values as one, or no value at all, are left out.
    """
    of_kind = {
        "flag": _flags,
        "member": _flags,
        "age": _whole,
        "user": _whole,
        "item": _whole,
        "hash": _whole,
        "count": _whole,
        "size": _floats,
        "price": _floats,
        "whole": _floats,
        "rate": _decimals,
        "cost": _decimals,
        "day": _days,
        "at": _moments,
        "clock": _clocks,
    }.get(kind.name, _text)
    if kind.role in ("ids", "weighted"):
        ways = _lists(log.brackets, weighted=kind.role == "weighted")
        comma = log.decimal == "," and not log.brackets and kind.name != "tags"
        return {name: _comma(way) if comma else way for name, way in ways.items()}
    ways = of_kind()
    if log.decimal == "," and of_kind in (_floats, _decimals, _whole):
        ways = {name: _comma(way) for name, way in ways.items()}
    return {name: way for name, way in ways.items() if _all(way, values)}


def _all(way: Spell, values: Values) -> bool:
    try:
        for value in values:
            if value is not None:
                way(value)
    except (ValueError, ArithmeticError):
        return False
    return True


def with_gaps(values: Values, way: Spell, log: LogicalLog, rng: Rng) -> list[str]:
    """The cells of a column; gaps are written in one way or in several."""
    tokens = ["", *log.missing, "-1.0"] if log.missing is not None else list(NULLS)
    if log.missing is not None and log.decimal == ",":
        tokens.remove("-1.0")
    several = rng.random() < 0.5
    one = tokens[rng.integers(0, len(tokens))]
    return [
        (tokens[rng.integers(0, len(tokens))] if several else one) if value is None else way(value)
        for value in values
    ]


def text_gaps(kind: Kind, values: Values, way: Spell, log: LogicalLog, rng: Rng) -> list[str]:
    """`with_gaps` of a kind: lists and text taken by the letter have fewer tokens."""
    if kind.role in ("ids", "weighted"):
        return ["" if value is None else way(value) for value in values]
    cells = with_gaps(values, way, log, rng)
    if kind.role == "verbatim":  # -1.0 is not -1 there
        cells = ["" if cell == "-1.0" else cell for cell in cells]
    return cells


def _comma(way: Spell) -> Spell:
    return lambda value: way(value).replace(".", ",")


def _flags() -> dict[str, Spell]:
    return {
        "True": str,
        "true": lambda v: str(v).lower(),
        "TRUE": lambda v: str(v).upper(),
        "' true'": lambda v: f" {str(v).lower()} ",
    }


def _whole() -> dict[str, Spell]:
    return {
        "3": str,
        "3.0": lambda v: f"{v}.0",
        "3.": lambda v: f"{v}.",
        "3.00": lambda v: f"{v}.00",
        "' 3'": lambda v: f" {v}",
        "3e0": lambda v: _exponent(Decimal(v), "e"),
        "3E+00": lambda v: _exponent(Decimal(v), "E+"),
    }


def _exponent(value: Decimal, sign: str) -> str:
    """As programs write floats, where a float holds the number."""
    if value != Decimal(float(value)) and Decimal(repr(float(value))) != value:
        raise ValueError
    digits, power = f"{float(value):.17e}".split("e")
    short = repr(float(digits))
    if float(f"{short}e{power}") != float(value) or not -300 < int(power) < 300:
        raise ValueError
    mark = sign if int(power) >= 0 else sign.removesuffix("+")
    return f"{short.removesuffix('.0')}{mark}{int(power):02d}"


def _floats() -> dict[str, Spell]:
    def plain(value: float) -> str:
        exact = Decimal(int(value)) if value.is_integer() else Decimal(repr(value))
        return format(exact, "f")

    return {
        "repr": repr,
        "2.5": plain,
        "2.50": lambda v: plain(v) + ("0" if "." in plain(v) else ".00"),
        ".5": lambda v: plain(v).replace("0.", ".", 1) if abs(v) < 1 and v else plain(v),
        "2.5e0": lambda v: _exponent(Decimal(repr(v)), "e"),
        "2.5E+00": lambda v: _exponent(Decimal(repr(v)), "E+"),
        "' 2.5'": lambda v: f"  {plain(v)}",
    }


def _decimals() -> dict[str, Spell]:
    return {
        "19.9": lambda v: format(v.normalize(), "f"),
        "19.90": lambda v: format(v, "f"),
        "19.9000": lambda v: format(v.quantize(Decimal("1e-8")), "f"),
        "' 19.9'": lambda v: f" {format(v, 'f')}\t",
    }


def _text() -> dict[str, Spell]:
    return {"text": str, "' text '": lambda v: f" {v}  "}


def _days() -> dict[str, Spell]:
    return {
        "2026-01-05": date.isoformat,
        "2026-01-05 00:00:00": lambda v: f"{v.isoformat()} 00:00:00",
        "2026-01-05T00:00": lambda v: f"{v.isoformat()}T00:00",
        "2026-01-05T00:00:00.000Z": lambda v: f"{v.isoformat()}T00:00:00.000Z",
    }


def _moments() -> dict[str, Spell]:
    def naive(value: datetime) -> datetime:
        return value.replace(tzinfo=None)

    def minutes(value: datetime) -> str:
        if value.second or value.microsecond:
            raise ValueError
        return naive(value).isoformat(timespec="minutes")

    def millis(value: datetime) -> str:
        if value.microsecond % 1000:
            raise ValueError
        return naive(value).isoformat(" ", timespec="milliseconds")

    away = timezone(timedelta(hours=-5, minutes=-30))
    berlin = ZoneInfo("Europe/Berlin")
    return {
        "T": lambda v: naive(v).isoformat(),
        "space": lambda v: naive(v).isoformat(" "),
        "Z": lambda v: naive(v).isoformat() + "Z",
        "+00:00": lambda v: v.isoformat(" "),
        "UTC": lambda v: naive(v).isoformat(" ") + " UTC",
        "+02:00": lambda v: v.astimezone(berlin).isoformat(),
        "-0530": lambda v: v.astimezone(away).strftime("%Y-%m-%d %H:%M:%S.%f%z"),
        "micros": lambda v: naive(v).isoformat(timespec="microseconds") + "000",
        "millis": millis,
        "minutes": minutes,
    }


def _clocks() -> dict[str, Spell]:
    return {
        "10:00:05": time.isoformat,
        "10:00:05.000": lambda v: v.isoformat(timespec="milliseconds"),
        "' 10:00:05'": lambda v: f" {v.isoformat(timespec='microseconds')}",
    }


def _lists(brackets: bool, *, weighted: bool) -> dict[str, Spell]:
    if brackets:
        return {
            "json": lambda v: json.dumps(v, ensure_ascii=False),
            "python": repr,
            "tuple": lambda v: "(" + ", ".join(map(repr, v)) + ")",
            "compact": lambda v: json.dumps(v, separators=(",", ":")),
            "' [7]'": lambda v: f" {json.dumps(v, ensure_ascii=False)} ",
        }
    ways: dict[str, Spell] = {
        "7|20": lambda v: "|".join(map(str, v)),
        "7 | 20": lambda v: " | ".join(map(str, v)),
        "7.0|20.0": lambda v: "|".join(f"{x}.0" if isinstance(x, int) else str(x) for x in v),
    }
    if not weighted:  # an element more, without a weight
        ways["7|20|"] = lambda v: "|".join([*map(str, v), ""])
    return ways
