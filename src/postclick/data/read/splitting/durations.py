"""Durations such as 30m, 12h or 7d."""

import re
from datetime import timedelta

from postclick.errors import InputError
from postclick.spelling import option

# Microseconds of each unit, the largest first.
UNITS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000}
UNITS["s"] = 1_000_000


def duration_micros(value: str | timedelta, name: str) -> int:
    """A duration in microseconds; `name` is the option.

    Raises:
        InputError: it cannot be read, or is not above 0.

    >>> duration_micros("12h", "purge"), duration_micros(timedelta(seconds=1), "purge")
    (43200000000, 1000000)
    """
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
    else:
        found = re.fullmatch(
            r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*([wdhms])\s*", str(value).lower(), re.ASCII
        )
        micros = round(float(found[1]) * UNITS[found[2]]) if found else 0
    if micros <= 0:
        raise InputError(
            f"{option(name)} is {value}: give a duration above 0, such as 30m, 12h or 7d"
        )
    return micros


def duration_text(micros: int) -> str:
    """The shortest way to write whole units, weeks as days.

    >>> duration_text(604_800_000_000), duration_text(5_400_000_000)
    ('7d', '90m')
    """
    for unit in ("d", "h", "m"):
        if micros % UNITS[unit] == 0:
            return f"{micros // UNITS[unit]}{unit}"
    return f"{micros / UNITS['s']:.15g}s"
