"""Figures as plain data for the template: where each mark stands, in percent of its axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from postclick.judgements.page.axis import Axis, Tick, gain_axis, ratio_axis
from postclick.judgements.page.words import number, with_ends

# Drawn in the colour of the text, not in that of a model.
INK = -1


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    name: str
    colour: int
    open: bool = False


@dataclass(frozen=True)
class Mark:
    """A value with its interval on a horizontal axis.

    Attributes:
        low, high: None where there is no interval.
        beyond_low, beyond_high: whether the value or its interval goes on beyond the axis.
        open: drawn as a ring.
    """

    at: float
    low: float | None
    high: float | None
    beyond_low: bool
    beyond_high: bool
    colour: int
    hint: str
    open: bool = False


@dataclass(frozen=True)
class Strip:
    """A row of a figure: a name, marks above each other on one axis, and the figure in words."""

    name: str
    below: str
    marks: tuple[Mark, ...]
    text: str = ""


@dataclass(frozen=True)
class Strips:
    """Values with intervals, row by row, on one axis.

    Attributes:
        guides: values that a mark is compared with, in percent of the axis.
    """

    title: str
    note: str
    ticks: tuple[Tick, ...]
    guides: tuple[float, ...]
    strips: tuple[Strip, ...]
    legend: tuple[Key, ...] = ()
    wide: bool = False

    @property
    def words(self) -> bool:
        """Whether rows have figures in words."""
        return any(strip.text for strip in self.strips)


@dataclass(frozen=True)
class Point:
    """A point of a curve, from the left and from the top in percent."""

    x: float
    y: float
    top: float | None
    bottom: float | None
    hint: str


@dataclass(frozen=True)
class Curve:
    """Points that are joined; `joined` says whether a line leads to each from the one before."""

    name: str
    colour: int
    points: tuple[Point, ...]
    open: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves between a horizontal and a vertical axis."""

    title: str
    note: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    x_title: str
    y_title: str
    curves: tuple[Curve, ...]
    legend: tuple[Key, ...] = ()
    diagonal: bool = False
    guide: float | None = None
    wide: bool = False


@dataclass(frozen=True)
class Ends:
    """A value to draw: with its interval, whose it is, and what shows when it is pointed at."""

    value: float | None
    low: float | None
    high: float | None
    colour: int
    hint: str = ""
    open: bool = False


# The name of a row, what stands below it, and its values.
Row = tuple[str, str, Sequence[Ends]]


def ratio_strips(
    title: str,
    rows: Sequence[Row],
    *,
    note: str = "",
    legend: Sequence[Key] = (),
    words: bool = True,
    wide: bool = False,
) -> Strips | None:
    """PCOC on a logarithmic axis with 1 marked; None where no row has one."""
    axis = ratio_axis(*_drawn(rows))
    return _strips(title, rows, axis, (1.0,), 2, note, legend, words, wide)


def gain_strips(
    title: str,
    rows: Sequence[Row],
    *,
    guides: Sequence[float] = (0.0,),
    digits: int = 4,
    note: str = "",
    legend: Sequence[Key] = (),
    words: bool = True,
    wide: bool = False,
) -> Strips | None:
    """Differences on a linear axis with 0 (or other guides) marked; None where there are none."""
    values, reached = _drawn(rows)
    axis = gain_axis([*values, *guides], reached)
    return _strips(title, rows, axis, guides, digits, note, legend, words, wide)


def _drawn(rows: Iterable[Row]) -> tuple[list[float | None], list[float | None]]:
    marks = [one for *_, found in rows for one in found if one.value is not None]
    return [one.value for one in marks], [end for one in marks for end in (one.low, one.high)]


def _strips(
    title: str,
    rows: Sequence[Row],
    axis: Axis,
    guides: Sequence[float],
    digits: int,
    note: str,
    legend: Sequence[Key],
    words: bool,
    wide: bool,
) -> Strips | None:
    if all(one.value is None for *_, found in rows for one in found):
        return None
    strips = tuple(
        Strip(
            name,
            below,
            tuple(mark for one in found if (mark := _mark(one, axis, digits)) is not None),
            _text(found, digits) if words else "",
        )
        for name, below, found in rows
    )
    at = tuple(axis.at(value) for value in guides)
    return Strips(title, note, tuple(axis.ticks), at, strips, tuple(legend), wide)


def _text(found: Sequence[Ends], digits: int) -> str:
    return "; ".join(with_ends(one.value, one.low, one.high, digits) for one in found)


def _mark(one: Ends, axis: Axis, digits: int) -> Mark | None:
    if one.value is None:
        return None
    low = one.value if one.low is None else one.low
    high = one.value if one.high is None else one.high
    has_ends = one.low is not None and one.high is not None
    figure = with_ends(one.value, one.low, one.high, digits)
    return Mark(
        axis.at(one.value),
        axis.at(low) if has_ends else None,
        axis.at(high) if has_ends else None,
        low < axis.low,
        high > axis.high,
        one.colour,
        f"{one.hint}: {figure}" if one.hint else figure,
        one.open,
    )


def point(
    x: float, axis: Axis, value: float, low: float | None, high: float | None, hint: str
) -> Point:
    """A point of a chart at `x` percent, with its interval on the vertical axis."""
    has_ends = low is not None and high is not None
    return Point(
        x,
        from_top(axis, value),
        from_top(axis, high) if has_ends and high is not None else None,
        from_top(axis, low) if has_ends and low is not None else None,
        hint,
    )


def from_top(axis: Axis, value: float) -> float:
    """Where a value stands on a vertical axis, in percent from the top."""
    return round(100 - axis.at(value), 2)


def upward(axis: Axis) -> tuple[Tick, ...]:
    """The marks of a vertical axis, from the top in percent."""
    return tuple(Tick(round(100 - tick.at, 2), tick.text) for tick in axis.ticks)


def told(value: float | None, low: float | None, high: float | None, digits: int = 4) -> str:
    """A value with its interval, in a hint."""
    if low is None or high is None:
        return number(value, digits)
    return with_ends(value, low, high, digits)
