"""What all figures of the report share: lines with a colour, empty axes, traces."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

# Middle tones: readable on white and on near black. Where they are used up dashes go on.
COLOURS = (
    "#3b82f6", "#f08a24", "#2fa36b", "#e0525a", "#9b6dde",
    "#1fa8b8", "#e06bb0", "#a9744f", "#9a9a2e", "#8a8f98",
)  # fmt: skip
# Of a log axis, from many ticks a decade to few; the first with at most MOST_TICKS is taken.
STEPS = ((1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
MOST_TICKS = 8
DASHES = ("solid", "dash", "dot")
GUIDE: dict[str, Any] = {"color": "#8a8f98", "width": 1, "dash": "dot"}


@dataclass(frozen=True)
class Line:
    """How something is drawn, and its name in a legend."""

    name: str
    colour: str
    dash: str = "solid"


@dataclass(frozen=True)
class Plot:
    """A figure (plotly's JSON) with its words; `legend` where it is not that of the methods."""

    title: str
    note: str
    figure: dict[str, Any]
    legend: tuple[Line, ...] = ()
    wide: bool = False


def lines(names: Iterable[str]) -> dict[str, Line]:
    """A colour and a dash for each name, the same ones for the same order.

    >>> lines(["esmm", "evi"])["evi"].colour
    '#f08a24'
    """
    return {
        name: Line(name, COLOURS[k % len(COLOURS)], DASHES[k // len(COLOURS) % len(DASHES)])
        for k, name in enumerate(names)
    }


def empty_figure(x: str, y: str) -> go.Figure:
    """Axes without traces; fonts, margins and colours come from the page, which knows its theme."""
    layout = {"showlegend": False, "xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}
    return go.Figure(layout={"template": "none", **layout})


def add_line(
    figure: go.Figure,
    line: Line,
    x: list[Any],
    y: list[Any],
    hover: str,
    text: list[str] | None = None,
    *,
    markers: bool = True,
    **more: Any,
) -> None:
    """A line; `hover` is plotly's template of what shows below its name, `text` its %{text}."""
    figure.add_scatter(
        x=x,
        y=y,
        text=text,
        name=plain(line.name),
        mode="lines+markers" if markers else "lines",
        marker={"size": 5, "color": line.colour},
        line={"color": line.colour, "dash": line.dash, "width": 1.8},
        hovertemplate=f"%{{fullData.name}}<br>{hover}<extra></extra>",
        **more,
    )


def add_guide(figure: go.Figure, most: float) -> None:
    """The diagonal from 0 to `most`."""
    figure.add_scatter(x=[0, most], y=[0, most], mode="lines", hoverinfo="skip", line=GUIDE)


def log_axis(figure: go.Figure, axis: str, values: Iterable[float | None]) -> None:
    """A logarithmic axis for these values, with labels that fit beside each other.

    Plotly's own labels leave out the power of ten, or overlap on a narrow screen.
    """
    figure.update_layout({f"{axis}_type": "log"})
    ticks = log_ticks([value for value in values if value is not None and value > 0])
    if len(ticks) > 1:
        text = [f"{tick:g}" for tick in ticks]
        figure.update_layout({f"{axis}_tickvals": ticks, f"{axis}_ticktext": text})


def log_ticks(values: list[float]) -> list[float]:
    """At most `MOST_TICKS` round numbers over the range of positive values.

    >>> log_ticks([0.4, 2.4]), log_ticks([0.002, 1.0]), log_ticks([1.01, 1.02])
    ([0.4, 0.5, 0.7, 1.0, 1.5, 2.0], [0.003, 0.01, 0.03, 0.1, 0.3, 1.0], [])
    """
    if not values:
        return []
    low, high = min(values), max(values)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for step in STEPS:
        ticks = [float(f"{m * 10.0**d:.6g}") for d in decades for m in step]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= MOST_TICKS:
            return ticks
    return ticks[:: -(-len(ticks) // MOST_TICKS)]


def plain(text: str) -> str:
    """Text in a plot that plotly would otherwise read as tags."""
    return escape(text, quote=False)


def whole_ticks(figure: go.Figure, most: int) -> None:
    """A tick at every whole number, if there are few."""
    if most <= 12:
        figure.update_layout(xaxis_dtick=1)


def numbers(values: list[Any]) -> list[int]:
    """1, 2, ... for as many values."""
    return list(range(1, len(values) + 1))
