"""Where in time one split ends and the next one begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl

from postclick.data.read.splitting.durations import duration_text
from postclick.data.read.splitting.time_counts import TimeCounts
from postclick.data.read.values.times import DATES, KINDS, ORDINAL, time_text, to_time
from postclick.errors import InputError
from postclick.spelling import option

# A date or a time: ISO 8601 as text, of Python's types, or a number as in the column.
Moment = str | date | datetime | int | float


@dataclass(frozen=True)
class Boundaries:
    """The first time of each split that is drawn by time; what is earlier trains.

    Attributes:
        starts: first time of each split, valid before test, as in `Times.time`.
        kind: number in `KINDS` of the column's times.
        purge: microseconds before each start in which the split before it has no rows.
    """

    starts: Mapping[str, float]
    kind: int = DATES
    purge: int = 0

    def spans(self) -> dict[str, tuple[float, float]]:
        """From which time on, and before which one, a split has rows; train first.

        >>> Boundaries({"valid": 20.0, "test": 30.0}, purge=5).spans()
        {'train': (-inf, 15.0), 'valid': (20.0, 25.0), 'test': (30.0, inf)}
        """
        names = ["train", *self.starts]
        first = [-np.inf, *self.starts.values()]
        last = [*(start - self.purge for start in self.starts.values()), np.inf]
        return {n: (a, b) for n, a, b in zip(names, first, last, strict=True)}

    def text(self, split: str) -> str:
        """When a split begins, for a reader."""
        return time_text(self.starts[split], self.kind)


def find_boundaries(
    counts: TimeCounts,
    column: str,
    shares: Mapping[str, float],
    dates: Mapping[str, Moment],
    purge: int = 0,
) -> Boundaries:
    """The boundaries of the splits in `shares`, from a log's times, all of one kind.

    A split without a date gets its share of the rows that have a time: the latest rows before
    the split after it. Rows of one time stay together, so that its share is as near to the one
    wanted as they allow.

    Args:
        shares: splits to draw, each with its share.
        dates: first times of those that have one.
        purge: as in `Boundaries`.

    Raises:
        InputError: a date is not of the column's kind, or a split is left without rows.

    >>> counts = TimeCounts()
    >>> counts.add(to_time(pl.Series([1, 1, 2, 3, 3, 4])))
    >>> find_boundaries(counts, "day", {"valid": 0.3, "test": 0.2}, {}).starts
    {'valid': 3.0, 'test': 4.0}
    """
    times, rows = counts.table()
    if len(times) == 0:
        return Boundaries(dict.fromkeys(_in_time(shares), np.inf))
    kind = KINDS.index(next(iter(counts.kinds.present())))
    if purge and kind == ORDINAL:
        raise InputError(
            f"{option('purge')}: the times of {column!r} are ordinals, numbers of no known unit "
            f"(such as {time_text(times[-1], kind)}): write them as dates or epochs, or leave "
            f"{option('purge')} out"
        )
    if len(times) <= len(shares):
        raise InputError(
            f"{column!r} has {len(times)} different times, too few to split by time into train, "
            f"{' and '.join(_in_time(shares))}: split by another rule, or draw fewer splits"
        )
    later = np.append(np.cumsum(rows[::-1])[::-1], 0)  # rows from each time on
    starts: dict[str, float] = {}
    end = len(times)
    names = _in_time(shares)
    for k, name in enumerate(reversed(names)):
        if name in dates:
            start, given = _moment(dates[name], name, kind, column), option(f"{name}_from")
            if starts and start >= min(starts.values()):
                after = time_text(min(starts.values()), kind)
                raise InputError(
                    f"{given} is {time_text(start, kind)}, not before test begins ({after}): "
                    "validation comes before test"
                )
            starts[name] = start
            end = int(np.searchsorted(times, start))
            if end < len(names) - k:
                low, high = (time_text(time, kind) for time in (times[0], times[-1]))
                raise InputError(
                    f"{given} is {time_text(start, kind)}: the times of {column!r} are {low} "
                    f"to {high}, too few of them before it to train on: give a later one"
                )
            continue
        # At least one time is left to each split before this one.
        first, last = len(names) - k, end
        wanted = later[end] + shares[name] * counts.timed
        miss = np.abs(later[first:last] - wanted)
        end = last - 1 - int(np.argmin(miss[::-1]))
        starts[name] = float(times[end])
    found = Boundaries({name: starts[name] for name in names}, kind, purge)
    _require_rows(found, counts, column)
    return found


def _in_time(splits: Mapping[str, float]) -> list[str]:
    return [name for name in ("valid", "test") if name in splits]


def _moment(value: Moment, split: str, kind: int, column: str) -> float:
    given = option(f"{split}_from")
    if isinstance(value, bool) or not isinstance(value, str | date | int | float):
        raise InputError(f"{given} is {value!r}: give a date, such as 2026-01-20, or a number")
    times = to_time(pl.Series([value]))
    time = times.time[0]
    if time is None:
        raise InputError(
            f"{given} is {value}: give a date in ISO 8601, such as 2026-01-20 or "
            "2026-01-20T12:00:00, or a number"
        )
    if (times.kind[0] == ORDINAL) != (kind == ORDINAL):
        raise InputError(
            f"{given} is {value}, but the times of {column!r} are {KINDS[kind]}: "
            + ("give one of its numbers" if kind == ORDINAL else "give a date or an epoch")
        )
    return float(time)


def _require_rows(found: Boundaries, counts: TimeCounts, column: str) -> None:
    """Raise `InputError` if a split gets no row, where that can be told."""
    times, _ = counts.table()
    unpurged = Boundaries(found.starts, found.kind).spans()
    for name, (first, last) in found.spans().items():
        if not counts.exact or bool(((times >= first) & (times < last)).any()):
            continue
        low, high = (time_text(time, found.kind) for time in (times[0], times[-1]))
        start, end = (time_text(time, found.kind) for time in unpurged[name])
        between = " and ".join(
            [f"from {start} on"] * (first > -np.inf) + [f"before {end}"] * (last < np.inf)
        )
        first, last = unpurged[name]
        if bool(((times >= first) & (times < last)).any()):
            raise InputError(
                f"{name}: all its rows ({column!r} {between}) are purged, being "
                f"{duration_text(found.purge)} or less before the next split: give a shorter "
                f"{option('purge')}, or other dates or shares"
            )
        raise InputError(
            f"{name}: no row has a time ({column!r}) {between}, they are {low} to {high}: "
            "give other dates or shares"
        )
