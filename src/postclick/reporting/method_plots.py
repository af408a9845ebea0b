"""The figures of one method: its loss by term, and how its propensities overlap."""

from typing import Any

from postclick.reporting.figure import (
    GUIDE,
    Plot,
    add_line,
    empty_figure,
    lines,
    log_axis,
    whole_ticks,
)
from postclick.reporting.folder import ComparisonFolder, Part


def method_plots(comparison: ComparisonFolder, part: Part, method: str) -> list[Plot]:
    """Loss by term and epoch, and pCTR of clicked and unclicked impressions."""
    return [
        *_loss(part.runs[method].history),
        _overlap(part.curves[method]["overlap"], comparison),
    ]


def _loss(history: list[dict[str, Any]]) -> list[Plot]:
    """No plot without a history. A term that a phase does not have leaves a gap."""
    if not history:
        return []
    terms = dict.fromkeys(name for record in history for name in record["terms"])
    epochs = [record["epoch"] for record in history]
    phases = [f"phase {record['phase']}" for record in history]
    figure = empty_figure("epoch", "mean per impression")
    whole_ticks(figure, len(history))
    legend = lines(terms)
    values = {name: [record["terms"].get(name) for record in history] for name in terms}
    every = [value for series in values.values() for value in series]
    if all(value is None or value > 0 for value in every):
        log_axis(figure, "yaxis", every)  # terms differ by powers of ten
    for name, line in legend.items():
        add_line(figure, line, epochs, values[name], "epoch %{x}, %{text}<br>%{y:.5g}", phases)
    note = "Training loss by term, before weighting."
    return [Plot("Loss by term", note, figure.to_plotly_json(), tuple(legend.values()))]


def _overlap(found: dict[str, Any], comparison: ComparisonFolder) -> Plot:
    figure = empty_figure("pCTR", "share of impressions")
    figure.update_layout(yaxis_tickformat=".0%", yaxis_rangemode="tozero")
    edges = [10**edge for edge in found["edges"]]
    log_axis(figure, "xaxis", edges)
    legend = lines(("clicked", "unclicked"))
    for name, line in legend.items():
        heights = [*found[name], found[name][-1]]
        hover = "pCTR from %{x:.3g}<br>%{y:.2%}"
        add_line(
            figure, line, edges, heights, hover, markers=False, line_shape="hv", fill="tozeroy"
        )
    note = f"Click propensity of {comparison.split} impressions, each kind summing to 100 %. "
    if found["clip"] is None:
        note += "This method uses no propensity weights."
    else:
        low, high = found["clip"]
        for bound in (low, high):
            if edges[0] < bound < edges[-1]:
                figure.add_vline(x=bound, line=GUIDE)
        clicks = comparison.diagnostics["clicks"]
        note += (
            f"Clipped to {low:g} - {high:g} (dotted) on {found['clip_share']:.1%} of them; the "
            f"weights of {clicks:,} clicks count like {found['effective_sample_size']:,.0f}."
        )
    return Plot("Propensity overlap", note, figure.to_plotly_json(), tuple(legend.values()))
