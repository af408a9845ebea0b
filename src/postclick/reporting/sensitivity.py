"""The sensitivity band as a drawing: mean pCVR by how much a hidden cause may matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from postclick.reporting.figure import COLOURS, GUIDE
from postclick.reporting.ticks import even_ticks
from postclick.runs.sensitivity import Sensitivity

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 56, 48
MOST_TICKS = 6
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.axis{stroke:#8a8f98}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def sensitivity_svg(found: Sensitivity) -> str:
    """A drawing that stands alone: where nobody clicked, over all impressions, and on clicks.

    Where the run has estimated the dependence, its interval is shaded.
    """
    s = [one.s for one in found.points]
    series = {
        "nobody clicked": [one.unclicked for one in found.points],
        "all impressions": [one.entire for one in found.points],
        "clicked": [found.clicked] * len(s),
    }
    most = 1.05 * max(max(values) for values in series.values())

    def x(value: float) -> float:
        share = (min(max(value, s[0]), s[-1]) - s[0]) / (s[-1] - s[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(found.sentence)}</title><style>{STYLE}</style>",
        *_interval(found, x),
        *_axes(s, most, x, y),
    ]
    for k, (name, values) in enumerate(series.items()):
        dash = ' stroke-dasharray="4 3"' if name == "clicked" else ""
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(s, values, strict=True))
        line = f'fill="none" stroke="{COLOURS[k]}" stroke-width="2"{dash}'
        parts.append(f'<polyline points="{path}" {line}/>')
        at = LEFT + 170 * k
        parts.append(f'<line x1="{at}" x2="{at + 22}" y1="38" y2="38" {line}/>')
        parts.append(f'<text x="{at + 28}" y="42">{name}</text>')
    title = f"{found.method}, {found.split} split: mean pCVR by dependence s"
    parts.append(f'<text x="{LEFT}" y="20" font-weight="600">{escape(title)}</text></svg>')
    return "\n".join(parts) + "\n"


def _interval(found: Sensitivity, x: Callable[[float], float]) -> list[str]:
    if found.estimate is None:
        return []
    best, low, high = found.estimate
    first, last = found.points[0].s, found.points[-1].s
    parts = []
    if low < last and high > first:
        left, right = x(low), x(high)
        parts.append(
            f'<rect x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="#8a8f98" fill-opacity="0.18"/>'
        )
    if first <= best <= last:
        parts.append(_line(x(best), x(best), TOP, HEIGHT - BOTTOM))
    return parts


def _axes(
    s: Sequence[float], most: float, x: Callable[[float], float], y: Callable[[float], float]
) -> list[str]:
    floor = HEIGHT - BOTTOM
    parts = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{floor}"/>',
    ]
    for tick in even_ticks(s[0], s[-1], MOST_TICKS):
        parts.append(
            f'<text x="{x(tick):.1f}" y="{floor + 18}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in even_ticks(0.0, most, MOST_TICKS):
        up = y(tick)
        parts.append(_line(LEFT, WIDTH - RIGHT, up, up))
        parts.append(f'<text x="{LEFT - 8}" y="{up + 4:.1f}" text-anchor="end">{tick:g}</text>')
    words = "dependence s of conversions on what no feature shows and moves clicks"
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{words}</text>')
    return parts


def _line(x1: float, x2: float, y1: float, y2: float) -> str:
    return (
        f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" '
        f'stroke="{GUIDE["color"]}" stroke-width="0.6" stroke-dasharray="2 3"/>'
    )
