"""The figures that show all methods at once: ROC, calibration, PCOC, validation, truth."""

import math
from typing import Any

import plotly.graph_objects as go

from postclick.reporting.figure import (
    GUIDE,
    Line,
    Plot,
    add_guide,
    add_line,
    empty_figure,
    lines,
    log_axis,
    numbers,
    plain,
    whole_ticks,
)
from postclick.reporting.folder import ComparisonFolder, Part
from postclick.reporting.metric_tables import gains

# 95 % of draws lie so many standard deviations around their mean.
NORMAL_95 = 1.96
# Letters of a name beside a bar; the whole name shows when the bar is pointed at.
LONGEST = 18
# Pixels that fit on a printed page.
PRINTED = 900


def curve_plots(comparison: ComparisonFolder, part: Part) -> list[Plot]:
    """ROC, calibration and PCOC by bucket, from recorded labels."""
    split = comparison.split
    calibration = {method: curves["calibration"] for method, curves in part.curves.items()}
    return [
        *_roc(part, "roc_cvr", "ROC of CVR", f"Clicked {split} impressions."),
        *_roc(part, "roc_ctcvr", "ROC of CTCVR", f"All {split} impressions."),
        _calibration(
            calibration,
            "Calibration of CVR",
            f"Clicked {split} impressions in ten equal groups by pCVR, against recorded "
            "conversions; on the diagonal predictions are right.",
        ),
        _pcoc(
            part,
            "pcoc_own",
            "PCOC by own pCTR",
            "Sum of pCVR / conversions on clicked impressions, in ten equal groups by the method's "
            "own pCTR; 1 is right. Low pCTR stands in for impressions that nobody clicked.",
        ),
        _pcoc(
            part,
            "pcoc_reference",
            "PCOC by common pCTR",
            "The same clicked impressions in each group for all methods: grouped by the mean of "
            "their pCTR. A right model is in the shaded band 95 times of 100.",
        ),
    ]


def truth_plots(comparison: ComparisonFolder, part: Part) -> list[Plot]:
    """Bias, calibration and share of the possible gain, where truth is known."""
    if comparison.diagnostics["truth"] is None:
        return []
    by, split = comparison.diagnostics["propensity"], comparison.split
    figure = empty_figure(f"group by {by}, low to high", "relative bias")
    figure.update_layout(yaxis_tickformat=".0%", xaxis_dtick=1)
    figure.add_hline(y=0, line=GUIDE)
    for method, line in lines(part.curves).items():
        found = part.curves[method]["bias_by_propensity"]
        bias = [None if pcoc is None else pcoc - 1 for pcoc in found["pcoc"]]
        text = [f"{by} {low:.3g} to {high:.3g}" for low, high in _ranges(found)]
        _of_method(figure, line, numbers(bias), bias, "bias %{y:.1%}<br>%{text}", text)
    plots = [
        Plot(
            "True bias by propensity",
            f"Mean pCVR / mean true CVR - 1 over all {split} impressions, in ten equal groups by "
            f"{by}; 0 is right.",
            figure.to_plotly_json(),
        )
    ]
    for space in ("clicked", "unclicked"):
        found = {m: curves["true_calibration"][space] for m, curves in part.curves.items()}
        note = f"{space.capitalize()} {split} impressions in ten equal groups by pCVR, against the "
        plots.append(_calibration(found, f"True calibration, {space}", f"{note}truth."))
    shares = gains(part)
    return plots + ([_gain(part, shares)] if shares else [])


def validation_plots(part: Part) -> list[Plot]:
    """Each validation metric by epoch."""
    histories = {method: run.history for method, run in part.runs.items()}
    metrics = dict.fromkeys(
        name for records in histories.values() for record in records for name in record["valid"]
    )
    longest = max((len(records) for records in histories.values()), default=1)
    plots = []
    for metric in metrics:
        figure = empty_figure("epoch", metric)
        whole_ticks(figure, longest)
        for method, line in lines(histories).items():
            x = [record["epoch"] for record in histories[method]]
            y = [record["valid"].get(metric) for record in histories[method]]
            _of_method(figure, line, x, y, "epoch %{x}<br>%{y:.4f}")
        plots.append(Plot(f"Validation {metric}", "", figure.to_plotly_json()))
    return plots


def _roc(part: Part, key: str, title: str, note: str) -> list[Plot]:
    """No plot where labels are of one class."""
    figure = empty_figure("false positive rate", "true positive rate")
    add_guide(figure, 1)
    found = {method: curves[key] for method, curves in part.curves.items()}
    hover = "false positive rate %{x:.3f}<br>true positive rate %{y:.3f}"
    for method, line in lines(found).items():
        if found[method] is not None:
            fpr, tpr = found[method]["fpr"], found[method]["tpr"]
            _of_method(figure, line, fpr, tpr, hover, markers=False)
    drawn = any(points is not None for points in found.values())
    return [Plot(title, note, figure.to_plotly_json())] if drawn else []


def _calibration(found: dict[str, dict[str, Any]], title: str, note: str) -> Plot:
    figure = empty_figure("mean prediction", "mean label")
    ends = [v for b in found.values() for v in (*b["predicted"], *b["observed"])]
    add_guide(figure, max(ends, default=1.0))
    for method, line in lines(found).items():
        buckets = found[method]
        text = [f"{rows:,} rows" for rows in buckets["rows"]]
        hover = "predicted %{x:.4f}<br>observed %{y:.4f}<br>%{text}"
        _of_method(figure, line, buckets["predicted"], buckets["observed"], hover, text)
    return Plot(title, note, figure.to_plotly_json())


def _pcoc(part: Part, key: str, title: str, note: str) -> Plot:
    figure = empty_figure("group by pCTR, low to high", "PCOC")
    figure.update_layout(xaxis_dtick=1)
    shown = [pcoc for curves in part.curves.values() for pcoc in curves[key]["pcoc"]]
    if key == "pcoc_reference":
        shown += _chance_band(figure, next(iter(part.curves.values()))[key])
    log_axis(figure, "yaxis", shown)
    figure.add_hline(y=1, line=GUIDE)
    for method, line in lines(part.curves).items():
        found = part.curves[method][key]
        text = [
            f"pCTR {low:.3g} to {high:.3g}<br>{rows:,} clicks, {rows * rate:,.0f} conversions"
            for (low, high), rows, rate in zip(
                _ranges(found), found["rows"], found["observed"], strict=True
            )
        ]
        hover = "PCOC %{y:.3f}<br>%{text}"
        _of_method(figure, line, numbers(found["pcoc"]), found["pcoc"], hover, text)
    return Plot(title, note, figure.to_plotly_json())


def _chance_band(figure: go.Figure, found: dict[str, Any]) -> list[float]:
    """Draw where PCOC lies by chance alone, conversions varying like Poisson counts; its bounds."""
    counts = [rows * rate for rows, rate in zip(found["rows"], found["observed"], strict=True)]
    wide = {k: math.exp(NORMAL_95 / math.sqrt(n)) for k, n in enumerate(counts, start=1) if n > 0}
    bounds = [*wide.values(), *(1 / w for w in reversed(wide.values()))]
    figure.add_scatter(
        x=[*wide, *reversed(wide)],
        y=bounds,
        mode="lines",
        fill="toself",
        fillcolor="rgba(138,143,152,0.18)",
        line={"width": 0},
        hoverinfo="skip",
    )
    return bounds


def _gain(part: Part, shares: dict[tuple[str, str], dict[str, float]]) -> Plot:
    figure = empty_figure("", "")
    methods = part.summary.methods
    legend = lines(f"{metric}, {space}" for metric, space in shares)
    for by_method, line in zip(shares.values(), legend.values(), strict=True):
        figure.add_bar(
            x=[by_method.get(name) for name in methods],
            y=numbers(list(methods)),
            text=[plain(name) for name in methods],
            textposition="none",
            orientation="h",
            name=line.name,
            marker_color=line.colour,
            hovertemplate="%{fullData.name}<br>%{text}: %{x:.1%}<extra></extra>",
        )
    figure.update_layout(
        barmode="group",
        xaxis_tickformat=".0%",
        yaxis_tickvals=numbers(list(methods)),
        yaxis_ticktext=[plain(_short(name)) for name in methods],
        yaxis_autorange="reversed",
        height=min(max(260, 70 + 12 * len(methods) * (1 + len(shares))), PRINTED),
    )
    return Plot(
        "Share of the possible gain",
        "How far a method has gone from predicting the mean (0 %) to the true CVR itself (100 %), "
        "mean over seeds; below 0 it is worse than the mean. Where a confounder is hidden no model "
        "can go all of the way.",
        figure.to_plotly_json(),
        tuple(legend.values()),
        wide=True,
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _of_method(figure: go.Figure, line: Line, *values: Any, **more: Any) -> None:
    """A line that the page's legend of methods switches off and on, by its `meta`."""
    add_line(figure, line, *values, meta=line.name, **more)


def _ranges(found: dict[str, Any]) -> list[tuple[float, float]]:
    return list(zip(found["low"], found["high"], strict=True))
