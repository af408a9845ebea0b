"""The paper's table, with measured columns beside the reported ones."""

from dataclasses import dataclass

from postclick.papers.claims import rank_correlation
from postclick.papers.experiment import Column, Experiment
from postclick.papers.reported import reported_table
from postclick.papers.results import Results


@dataclass(frozen=True)
class Table:
    """A table as texts."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of measured means and a paper's numbers over the same `methods` methods."""

    column: str
    dataset: str
    tau: float | None
    methods: int


def paper_table(experiment: Experiment, results: Results, log: str) -> Table:
    """Rows and columns as in the paper: measured mean ± sd first, then what is reported.

    Of the measured means of a column the best is bold, as papers print them: that says nothing
    of noise. Columns that were measured for no arm are left out.
    """
    reported = reported_table(experiment.paper.name, experiment.where)
    shown = [c for c in experiment.columns if results.values.get(c.key)]
    pairs = [(d, c) for d in reported for c in experiment.columns if c.reported is not None]
    header = (
        experiment.head,
        *experiment.marks,
        *(f"{c.title}, **measured on {log}**" for c in shown),
        *(f"{c.title}, reported on {dataset}" for dataset, c in pairs),
    )
    rows: list[tuple[str, ...]] = []
    for entry in experiment.entries:
        own = (_measured(c, entry.arm.label, experiment, results) for c in shown)
        theirs = (
            _number(reported[d].get((entry.title, c.reported or "")), c.digits) for d, c in pairs
        )
        rows.append((entry.title, *entry.marks, *own, *theirs))
        extra = experiment.improvement
        if extra is not None and entry.arm.label == extra.arm:
            gains = [improvement(experiment, results, c.key) for c in shown]
            gains += [
                reported[d].get((entry.title, extra.reported.format(c.reported))) for d, c in pairs
            ]
            percents = ("" if gain is None else f"{gain:+.2f}%" for gain in gains)
            rows.append((extra.title, *("" for _ in experiment.marks), *percents))
    return Table(header, tuple(rows))


def improvement(experiment: Experiment, results: Results, column: str) -> float | None:
    """Relative improvement of the means over the best baseline, in percent."""
    row = experiment.improvement
    if row is None:
        return None
    scale = experiment.column(column).scale
    known = {arm: results.mean(column, arm) for arm in (row.arm, *row.baselines)}
    means = {arm: mean for arm, mean in known.items() if mean is not None}
    if len(means) < len(known):
        return None
    best = max(row.baselines, key=lambda arm: float(scale.goodness([means[arm]])[0]))
    return 100 * (means[row.arm] / means[best] - 1)


def agreements(experiment: Experiment, results: Results) -> tuple[Agreement, ...]:
    """Rank correlation with each data set of the paper's table, column by column."""
    reported = reported_table(experiment.paper.name, experiment.where)
    found = []
    for column in (c for c in experiment.columns if c.reported is not None):
        for dataset, numbers in reported.items():
            pairs = [
                (mean, numbers[entry.title, column.reported or ""])
                for entry in experiment.entries
                if (mean := results.mean(column.key, entry.arm.label)) is not None
                and (entry.title, column.reported) in numbers
            ]
            own, theirs = [a for a, _ in pairs], [b for _, b in pairs]
            tau = rank_correlation(own, theirs) if len(pairs) > 1 else None
            found.append(Agreement(column.key, dataset, tau, len(pairs)))
    return tuple(found)


def reported_by_arm(experiment: Experiment, column: Column) -> dict[str, dict[str, float]]:
    """Data set -> arm -> the paper's number, for claims on its own numbers."""
    reported = reported_table(experiment.paper.name, experiment.where)
    return {
        dataset: {
            entry.arm.label: numbers[entry.title, column.reported]
            for entry in experiment.entries
            if column.reported is not None and (entry.title, column.reported) in numbers
        }
        for dataset, numbers in reported.items()
    }


def _measured(column: Column, arm: str, experiment: Experiment, results: Results) -> str:
    mean, sd = results.mean(column.key, arm), results.sd(column.key, arm)
    if mean is None:
        return "undefined"
    text = _number(mean, column.digits)
    if sd is not None:
        text += f" ± {sd:.{column.digits}f}"
    goodness = {
        other.label: float(column.scale.goodness([value])[0])
        for other in experiment.arms
        if (value := results.mean(column.key, other.label)) is not None
    }
    return f"**{text}**" if goodness[arm] == max(goodness.values()) else text


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
