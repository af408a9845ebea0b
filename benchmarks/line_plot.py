"""Lines with intervals over a logarithmic axis, as an SVG file that needs nothing else."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from postclick.reporting.ticks import even_ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 400, 70, 210, 20, 50
COLOURS = ("#0b62a4", "#c8553d", "#3a7d44", "#7a4f9e", "#8a6d1f", "#444444")


@dataclass(frozen=True)
class Series:
    """A line: means at some sizes, and how far their intervals reach."""

    name: str
    sizes: Sequence[float]
    means: Sequence[float]
    reach: Sequence[float]


def write_svg(path: Path, series: Sequence[Series], x_name: str, y_name: str) -> None:
    """Write the lines; a gain of 0 is marked."""
    xs = [math.log10(x) for one in series for x in one.sizes]
    ends = [m + s * r for one in series for m, r in zip(one.means, one.reach, strict=True)
            for s in (-1, 1)]  # fmt: skip
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = 0.05 * (high - low)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - min(xs)) / max(max(xs) - min(xs), 1e-9)
        up = (y - low + pad) / (high - low + 2 * pad)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    parts = []
    for tick in even_ticks(low, high, 7):
        _, y = place(10 ** min(xs), tick)
        ink = "#222" if tick == 0 else "#ddd"
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{ink}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:+.3f}</text>')
    for size in sorted({x for one in series for x in one.sizes}):
        x, _ = place(size, low)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">'
                     f"{size:,.0f}</text>")  # fmt: skip
    for number, one in enumerate(series):
        parts += _line(one, COLOURS[number % len(COLOURS)], place, TOP + 20 + 20 * number)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_name)}</text>'
    )
    parts.append(f'<text x="{LEFT - 60}" y="14">{escape(y_name)}</text>')
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" fill="#222">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n',
        encoding="utf-8",
    )


def _line(one: Series, colour: str, place, y: float) -> list[str]:  # type: ignore[no-untyped-def]
    points = [place(x, m) for x, m in zip(one.sizes, one.means, strict=True)]
    path = "M" + "L".join(f"{x:.1f} {v:.1f}" for x, v in points)
    parts = [f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>']
    for size, mean, reach in zip(one.sizes, one.means, one.reach, strict=True):
        x, top = place(size, mean + reach)
        _, bottom = place(size, mean - reach)
        _, at = place(size, mean)
        parts.append(f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{colour}"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{at:.1f}" r="3.5" fill="{colour}"/>')
    right = WIDTH - RIGHT + 15
    parts.append(f'<path d="M{right} {y - 4}h18" stroke="{colour}" stroke-width="2"/>')
    parts.append(f'<text x="{right + 24}" y="{y}">{escape(one.name)}</text>')
    return parts
