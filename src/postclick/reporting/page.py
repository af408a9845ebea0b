"""From a comparison's folder to report.html: one file, nothing fetched from a network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from postclick.reporting.answer import answer, other_protocol
from postclick.reporting.calibration import (
    calibration_notes,
    calibration_plots,
    calibration_table,
)
from postclick.reporting.commands import compare_again, train_again
from postclick.reporting.figure import Plot, lines
from postclick.reporting.folder import ComparisonFolder, Part, read_comparison
from postclick.reporting.interval_table import interval_table
from postclick.reporting.method_plots import method_plots
from postclick.reporting.metric_tables import (
    gain_table,
    propensity_table,
    recorded_table,
    truth_table,
    tuned_table,
    undefined,
)
from postclick.reporting.plots import curve_plots, truth_plots, validation_plots
from postclick.reporting.segment_tables import segment_tables
from postclick.reporting.significance_table import significance_table
from postclick.reporting.tables import Table, findings_table, funnel_table
from postclick.runs.folder import CONFIG
from postclick.system.files import write_text

REPORT = "report.html"


@dataclass(frozen=True)
class Results:
    """The tables of one protocol, and why some metrics are missing from them."""

    part: Part
    tables: list[Table]
    undefined: list[str]


@dataclass(frozen=True)
class Group:
    """Figures under one heading, with the table that belongs to them."""

    title: str
    plots: list[Plot]
    table: Table | None = None


@dataclass(frozen=True)
class Calibration:
    """What calibrators do to the runs of one protocol."""

    part: Part
    plots: list[Plot]
    table: Table
    notes: list[str]


@dataclass(frozen=True)
class Figures:
    """All figures of one protocol: those of all methods, then method by method."""

    part: Part
    groups: list[Group]
    methods: list[Group]
    propensities: Table | None


def report(folder: str | Path) -> Path:
    """Write `report.html` into a comparison's folder and return its path.

    Reads what `postclick compare` left there; neither the log nor the weights are needed.

    Raises:
        InputError: `folder` holds no finished comparison, or a file of it is damaged.
    """
    comparison = read_comparison(Path(folder))
    path = comparison.folder / REPORT
    write_text(path, render(comparison))
    return path


def render(comparison: ComparisonFolder) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("postclick.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["as_json"] = as_json
    main, *others = comparison.parts
    truth = comparison.diagnostics["truth"]
    return environment.get_template("template.html.j2").render(
        comparison=comparison,
        protocol=main.summary.protocol,
        answer=answer(main, comparison.split, truth),
        beside=[text for other in others if (text := other_protocol(main, other))],
        funnel=funnel_table(comparison),
        findings=findings_table(comparison),
        results=[_results(part, comparison.split) for part in comparison.parts],
        legend=list(lines(main.curves).values()),
        figures=[_figures(comparison, part) for part in comparison.parts],
        segments=[
            (part, found)
            for part in comparison.parts
            if (found := segment_tables(part, comparison.split))
        ],
        calibration=_calibration(comparison),
        compare_again=compare_again(comparison),
        configs=[
            (part, method, run.config, train_again(comparison, str(run.folder / CONFIG)))
            for part in comparison.parts
            for method, run in part.runs.items()
        ],
        packages=next(iter(main.runs.values())).info,
        plotly=Markup(get_plotlyjs()),
    )


def as_json(data: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(escaped)


def _results(part: Part, split: str) -> Results:
    found = (
        recorded_table(part, split),
        interval_table(part, split),
        significance_table(part, "cvr_auc", "clicked"),
        truth_table(part, split),
        significance_table(part, "true_cvr_nll", "entire"),
        tuned_table(part),
    )
    return Results(part, [table for table in found if table is not None], undefined(part))


def _calibration(comparison: ComparisonFolder) -> list[Calibration]:
    split = comparison.split
    return [
        Calibration(part, calibration_plots(part, split), table, calibration_notes(part))
        for part in comparison.parts
        if (table := calibration_table(part, split)) is not None
    ]


def _figures(comparison: ComparisonFolder, part: Part) -> Figures:
    groups = [
        Group("Ranking and calibration on recorded labels", curve_plots(comparison, part)),
        Group("Against known truth", truth_plots(comparison, part), gain_table(part)),
        Group("Validation by epoch", validation_plots(part)),
    ]
    methods = [Group(m, method_plots(comparison, part, m)) for m in part.curves]
    shown = [group for group in groups if group.plots]
    return Figures(part, shown, methods, propensity_table(comparison, part))
