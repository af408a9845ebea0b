"""A figure as one self-contained HTML page."""

from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from postclick.papers.reproduction import Reproduction

HEIGHT, TOP = 400, 150
COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")


def to_html(found: Reproduction) -> str:
    """All panels, two a row, error bars of one standard deviation over seeds; needs no network."""
    experiment, panels = found.experiment, found.panels
    rows = max(1, -(-len(panels) // 2))
    figure = make_subplots(
        rows=rows,
        cols=2,
        subplot_titles=[_wrapped(panel.title) for panel in panels],
        vertical_spacing=0.3 / rows,
    )
    names = dict.fromkeys(series.name for panel in panels for series in panel.series)
    colors = dict(zip(names, COLORS, strict=False))
    for k, panel in enumerate(panels):
        row, col = k // 2 + 1, k % 2 + 1
        for series in panel.series:
            error = {"type": "data", "array": [sd or 0.0 for sd in series.sd]}
            common = {
                "x": list(series.x),
                "y": list(series.y),
                "error_y": error,
                "name": series.name,
                "marker": {"color": colors[series.name]},
                "legendgroup": series.name,
                "showlegend": all(
                    series.name not in {s.name for s in p.series} for p in panels[:k]
                ),
            }
            trace = (
                go.Bar(**common)
                if panel.kind == "bar"
                else go.Scatter(**common, mode="lines+markers")
            )
            figure.add_trace(trace, row=row, col=col)
        figure.update_xaxes(title_text=panel.x, row=row, col=col)
        figure.update_yaxes(
            title_text=panel.y,
            rangemode="tozero" if panel.from_zero else "normal",
            row=row,
            col=col,
        )
    title = f"{experiment.name}: {experiment.paper.name}, {experiment.where}"
    subtitle = f"measured on {found.log.folder}, {found.seeds} seeds, mean ± standard deviation"
    figure.update_layout(
        title=f"{escape(title)}<br><sub>{escape(subtitle)}</sub>",
        height=HEIGHT * rows + TOP,
        margin={"t": TOP},
        template="plotly_white",
    )
    html: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return html


def _wrapped(title: str, width: int = 60) -> str:
    head, comma, rest = title.rpartition(", ")
    return f"{escape(head)},<br>{escape(rest)}" if comma and len(title) > width else escape(title)
