"""Every type that holds the values of a column exactly."""

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from representations.logical import Kind, Values

_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def arrays(kind: Kind, values: Values, decimal: str = ".") -> dict[str, Callable[[], pa.Array]]:
    """By name, what makes the column in each type of Arrow that holds it."""
    if kind.role in ("ids", "weighted"):
        return _of_lists(values, decimal, number=kind.name == "weights")
    present = [value for value in values if value is not None]
    first = present[0] if present else None
    found: dict[str, Callable[[], pa.Array]] = {}
    if isinstance(first, bool):
        found["bool"] = lambda: pa.array(values, pa.bool_())
    elif isinstance(first, int | float | Decimal):
        _add_numbers(found, values, present, number=kind.role == "numeric")
    elif isinstance(first, str):
        _add_text(found, values)
    elif isinstance(first, datetime):
        _add_moments(found, values, present)
    elif isinstance(first, date):
        _add_days(found, values)
    elif first is not None:
        found["time64[us]"] = lambda: pa.array(values, pa.time64("us"))
        found["time64[ns]"] = lambda: pa.array(values, pa.time64("us")).cast(pa.time64("ns"))
        if all(value.microsecond % 1000 == 0 for value in present):
            found["time32[ms]"] = lambda: pa.array(values, pa.time32("ms"))
    else:
        found["null"] = lambda: pa.nulls(len(values))
    return found


def exact(value: Any) -> Decimal:
    """The number that is meant: of a float, the shortest decimal that is read as it."""
    if isinstance(value, float) and not value.is_integer():
        return Decimal(repr(value))
    return Decimal(int(value)) if isinstance(value, float) else Decimal(value)


def _add_numbers(
    found: dict[str, Callable[[], pa.Array]], values: Values, present: Values, *, number: bool
) -> None:
    """`number`: it is not the shortest decimal of a float that counts but all its digits."""
    meant = [exact(value) for value in present]
    if all(one == one.to_integral_value() for one in meant):
        whole = [None if value is None else int(exact(value)) for value in values]
        low, high = min(map(int, meant)), max(map(int, meant))
        for name in _INTS:
            limits = np.iinfo(name)
            if limits.min <= low and high <= limits.max:
                found[name] = lambda name=name: pa.array(whole, pa.type_for_alias(name))
        if low >= -(2**62) and high < 2**62:
            found["dictionary[int64]"] = lambda: pa.array(whole, pa.int64()).dictionary_encode()
    for name, kind in (("float64", np.float64), ("float32", np.float32)):
        if all(_holds(one, kind, number=number) for one in meant):
            found[name] = lambda kind=kind: pa.array(
                [None if v is None else kind(float(exact(v))) for v in values], _FLOATS[kind]
            )
            found[name + " nan"] = lambda kind=kind: pa.array(
                np.array([math.nan if v is None else float(exact(v)) for v in values], kind)
            )
    scale = max(max(0, -int(one.as_tuple().exponent)) for one in meant)
    digits = max(len(str(int(abs(one)))) for one in meant)
    if scale + digits <= 38:
        decimals = [None if v is None else exact(v) for v in values]
        found["decimal128"] = lambda: pa.array(decimals, pa.decimal128(38, min(scale + 2, 38)))
        if digits + scale + 2 > 38:
            found["decimal128"] = lambda: pa.array(decimals, pa.decimal128(38, scale))


_FLOATS = {np.float64: pa.float64(), np.float32: pa.float32()}


def _holds(meant: Decimal, kind: type, *, number: bool) -> bool:
    with np.errstate(over="ignore"):
        near = kind(float(meant))
    if not np.isfinite(near):
        return False
    if number:
        return bool(float(near) == float(meant))
    written = Decimal(int(near)) if float(near).is_integer() else Decimal(str(near))
    return written == meant


def _add_text(found: dict[str, Callable[[], pa.Array]], values: Values) -> None:
    kinds = {
        "string": pa.string(),
        "large_string": pa.large_string(),
        "string_view": pa.string_view(),
    }
    for name, kind in kinds.items():
        found[name] = lambda kind=kind: pa.array(values, kind)
    found["dictionary[string]"] = lambda: pa.array(values, pa.string()).dictionary_encode()


def _add_days(found: dict[str, Callable[[], pa.Array]], values: Values) -> None:
    found["date32"] = lambda: pa.array(values, pa.date32())
    found["date64"] = lambda: pa.array(values, pa.date64())
    for unit in ("s", "ms", "us"):
        for zone in (None, "UTC"):
            kind = pa.timestamp(unit, zone)
            found[str(kind)] = lambda kind=kind: (
                pa.array(values, pa.date32()).cast(pa.timestamp(kind.unit)).cast(kind)
            )


def _add_moments(found: dict[str, Callable[[], pa.Array]], values: Values, present: Values) -> None:
    steps = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}
    for unit, step in steps.items():
        if any(value.microsecond % min(step, 1_000_000) for value in present):
            continue
        for zone in (None, "UTC", "America/New_York"):
            kind = pa.timestamp(unit, zone)
            found[str(kind)] = lambda kind=kind: _moments(values, kind)


def _moments(values: Values, kind: pa.TimestampType) -> pa.Array:
    utc = pa.array(values, pa.timestamp("us", "UTC")).cast(pa.timestamp(kind.unit, "UTC"))
    return utc.cast(pa.int64()).cast(kind)


def _of_lists(values: Values, decimal: str, *, number: bool) -> dict[str, Callable[[], pa.Array]]:
    items = [item for value in values if value is not None for item in value]
    first = items[0] if items else ""
    found: dict[str, Callable[[], pa.Array]] = {}
    if isinstance(first, str):
        found["list<string>"] = lambda: pa.array(values, pa.list_(pa.string()))
        found["large_list<large_string>"] = lambda: pa.array(
            values, pa.large_list(pa.large_string())
        )
        found["list<dictionary>"] = lambda: _listed(values, pa.array(items).dictionary_encode())
        return found
    inner: dict[str, Callable[[], pa.Array]] = {}
    _add_numbers(inner, items, items, number=number)
    for name, make in inner.items():
        if name.endswith(" nan") or name.startswith("dictionary"):
            continue
        found[f"list<{name}>"] = lambda make=make: _listed(values, make())
    texts = [value and [str(item).replace(".", decimal) for item in value] for value in values]
    found["list<string>"] = lambda: pa.array(texts, pa.list_(pa.string()))
    return found


def _listed(values: Values, items: pa.Array) -> pa.Array:
    """Lists of items, null where a list is missing."""
    lengths = [0 if value is None else len(value) for value in values]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    gaps = pa.array([value is None for value in values])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, mask=gaps)
