"""The moments of impressions, by which a log is cut into hours, days or weeks."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.data.read.values.times import DATES, ORDINAL, to_time
from postclick.data.read.values.value_rules import ValueRules
from postclick.errors import InputError
from postclick.judging.predicted.features import Arrays, Feature, Kind, Segments
from postclick.judging.value_names import MISSING
from postclick.spelling import counted, option

HOUR = 3_600_000_000  # microseconds
DAY, WEEK = 24 * HOUR, 7 * 24 * HOUR
# Nobody logged an impression before 1990, or after 2100: such numbers are no moments.
EARLIEST, LATEST = 7_305 * DAY, 47_482 * DAY
# Dates that are written as one number, such as 20260105, are not read as such.
CALENDAR = (19_900_101, 21_001_231)


class Time(Feature):
    """Moments by hour, day or week, whichever gives at most some forty; ordinals as numbers."""

    kind: Kind = "time"

    def __init__(self, name: str, rules: ValueRules) -> None:
        super().__init__(name, rules)
        self._first, self._last, self._missing = np.inf, -np.inf, False
        # Ends of what there is, before they are widened to whole steps; how many are no moment of
        # ours; and the first value of either sort.
        self._ends, self._known, self._odd, self._numbers = (np.inf, -np.inf), 0, 0, False
        self._ordinal: str | None = None
        self._moment: str | None = None
        self._width = float(DAY)

    def read(self, column: pl.Series) -> NDArray[np.float64]:
        times = to_time(column, self.rules)
        if times.unreadable.rows:
            raise InputError(
                f"time column {self.name!r} holds {times.unreadable.examples[0]}, which is no "
                f"moment: write 2026-01-05 or 2026-01-05T10:30, or leave out {option('time')}"
            )
        kind, values = times.kind.to_numpy(), times.time.fill_null(np.nan).to_numpy()
        self._tell_sorts(column, kind, values)
        known = values[~np.isnan(values)]
        self._missing |= known.size < values.size
        if known.size:
            self._first = min(self._first, float(known.min()))
            self._last = max(self._last, float(known.max()))
            self._known += known.size
            self._odd += int(np.count_nonzero((known < EARLIEST) | (known >= LATEST)))
        return values

    def _tell_sorts(
        self, column: pl.Series, kind: NDArray[np.uint8], values: NDArray[np.float64]
    ) -> None:
        """See which sorts of times there are, and refuse what cannot be one."""
        ordinal = kind == ORDINAL
        if ordinal.any():
            self._ordinal = self._ordinal or str(column[int(np.argmax(ordinal))])
            broken = np.flatnonzero(ordinal & (values % 1 != 0))
            if broken.size:
                raise InputError(
                    f"time column {self.name!r} holds {column[int(broken[0])]}, which is no "
                    f"moment: name another with {option('time')}, or judge by its values with "
                    f"{option('by', self.name)}"
                )
        moment = kind > ORDINAL
        if moment.any():
            self._moment = self._moment or str(column[int(np.argmax(moment))])
            self._numbers |= bool((moment & (kind != DATES)).any())
        if self._ordinal is not None and self._moment is not None:
            raise InputError(
                f"time column {self.name!r} holds {self._moment}, a moment, and {self._ordinal}, "
                "which is none: write moments alone, and nothing where there is none"
            )

    def settle(self) -> Segments:
        if self._last < self._first:
            return Segments((MISSING,), (1,))
        if self._numbers and self._odd == self._known:
            raise InputError(
                f"time column {self.name!r} holds {self._moment}, which as an epoch is "
                f"{_day(self._first)}, and none of its values is in our time: name another with "
                f"{option('time')}, or judge by its values with {option('by', self.name)}"
            )
        self._ends = (self._first, self._last)
        span = self._last - self._first
        if self._ordinal is not None:
            self._width = max(1.0, np.ceil((span + 1) / 40))
        else:
            widths = (HOUR, DAY, WEEK)
            fitting = (w for w in widths if span // w < 40)
            self._width = float(next(fitting, WEEK * max(1.0, np.ceil(span / WEEK / 40))))
        # 1970-01-05 was the first Monday.
        offset = 4 * DAY if self._width % WEEK == 0 and self._ordinal is None else 0
        self._first = np.floor((self._first - offset) / self._width) * self._width + offset
        count = int((self._last - self._first) // self._width) + 1
        names = [self._called(self._first + k * self._width) for k in range(count)]
        names += [MISSING] if self._missing else []
        return Segments(tuple(names), (1,) * len(names))

    def notes(self) -> list[str]:
        low, high = self._ends
        if self._ordinal is not None:
            told = (
                f"times ({self.name!r}) are numbers from {low:.0f} to {high:.0f}, which are no "
                "epochs: they are taken as an order, in equal steps"
            )
            dates = CALENDAR[0] <= low and high <= CALENDAR[1]
            return [f"{told}; dates are written 2026-01-05" if dates else told]
        if not self._odd:
            return []
        return [
            f"times ({self.name!r}) before 1990 or after 2100 in {counted(self._odd, 'row')} of "
            f"{self._known:,} (all are from {_day(low)} to {_day(high)}): are they zeros, or of "
            "another unit?"
        ]

    def _called(self, start: float) -> str:
        if self._ordinal is not None:
            return f"from {start:.0f}" if self._width > 1 else f"{start:.0f}"
        if self._width < DAY:
            at = pl.Series([int(start)]).cast(pl.Datetime("us"))
            return str(at.dt.strftime("%Y-%m-%d %Hh")[0])
        return _day(start) if self._width == DAY else f"week(s) from {_day(start)}"

    def of(self, read: Arrays) -> NDArray[np.int64]:
        missing = np.isnan(read)
        if not np.isfinite(self._first):
            return np.zeros(read.size, np.int64)
        count = int((self._last - self._first) // self._width) + 1
        found = np.where(missing, count, (np.where(missing, 0, read) - self._first) // self._width)
        return found.astype(np.int64)


def _day(at: float) -> str:
    return str(pl.Series([int(at)]).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d")[0])
