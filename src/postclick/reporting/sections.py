"""The sections of the page: tables and figures of each protocol, under their headings."""

from dataclasses import dataclass

from postclick.methods.explanation import Explanation
from postclick.reporting.calibration import (
    calibration_notes,
    calibration_plots,
    calibration_table,
)
from postclick.reporting.dependence import dependence_plots, dependence_table
from postclick.reporting.explanation_table import explanation_table
from postclick.reporting.figure import Plot
from postclick.reporting.folder import ComparisonFolder, Part
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
from postclick.reporting.significance_table import significance_table
from postclick.reporting.tables import Table


@dataclass(frozen=True)
class Results:
    """The tables of one protocol, and why some metrics are missing from them."""

    part: Part
    tables: list[Table]
    undefined: list[str]


@dataclass(frozen=True)
class Group:
    """Figures under one heading, with the tables that belong to them."""

    title: str
    plots: list[Plot]
    tables: tuple[Table, ...] = ()
    note: str = ""


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


def results_of(part: Part, split: str) -> Results:
    found = (
        recorded_table(part, split),
        interval_table(part, split),
        significance_table(part, "cvr_auc", "clicked"),
        truth_table(part, split),
        significance_table(part, "true_cvr_nll", "entire"),
        tuned_table(part),
    )
    return Results(part, [table for table in found if table is not None], undefined(part))


def calibration_of(comparison: ComparisonFolder) -> list[Calibration]:
    split = comparison.split
    return [
        Calibration(part, calibration_plots(part, split), table, calibration_notes(part))
        for part in comparison.parts
        if (table := calibration_table(part, split)) is not None
    ]


def _method(comparison: ComparisonFolder, part: Part, name: str) -> Group:
    """The figures of a method, and what it says of itself."""
    said = part.runs[name].explanation
    plots = method_plots(comparison, part, name)
    if said is None:
        return Group(name, plots)
    tables = [explanation_table(name, said)]
    if isinstance(said, Explanation) and said.dependence is not None:
        plots = [*dependence_plots(said.dependence), *plots]
        tables += _some(dependence_table(name, said.dependence))
    return Group(name, plots, tuple(tables), said.sentence)


def _some(table: Table | None) -> tuple[Table, ...]:
    return () if table is None else (table,)


def figures_of(comparison: ComparisonFolder, part: Part) -> Figures:
    groups = [
        Group("Ranking and calibration on recorded labels", curve_plots(comparison, part)),
        Group("Against known truth", truth_plots(comparison, part), _some(gain_table(part))),
        Group("Validation by epoch", validation_plots(part)),
    ]
    methods = [_method(comparison, part, name) for name in part.curves]
    shown = [group for group in groups if group.plots]
    return Figures(part, shown, methods, propensity_table(comparison, part))
