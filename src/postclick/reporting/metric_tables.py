"""The tables of metrics: recorded labels, known truth, propensities, share of the possible gain."""

from collections.abc import Sequence
from typing import Any

from postclick.experiments.comparison.summary import OverSeeds, Row
from postclick.experiments.comparison.terminal_tables import RECORDED, against_truth, recorded
from postclick.metrics.catalogue import figure_named
from postclick.reporting.answer import signed
from postclick.reporting.folder import ComparisonFolder, Part
from postclick.reporting.ranking import Rival, rank
from postclick.reporting.tables import Column, Table, Value, percent, words

METHOD = Column("method", numeric=False)
# The row of what no method can be expected to beat.
PERFECT = "the true CVR"
# Where a model can gain, in the order in which it is shown.
GAINS = (
    ("cvr_auc", "clicked"),
    ("true_cvr_auc", "unclicked"),
    ("true_cvr_auc", "entire"),
    ("true_cvr_nll", "unclicked"),
    ("true_cvr_nll", "entire"),
)


def recorded_table(part: Part, split: str) -> Table | None:
    """Metrics on recorded labels; beside CVR-AUC the distance to the best, with its interval."""
    found = _metric_table(part, recorded(), f"{part.title}: recorded labels of the {split} split")
    ranking = rank(part.summary, part.results, *RECORDED[0])
    at = next((k + 1 for k, c in enumerate(found.columns) if c.title == "cvr_auc"), 0)
    if ranking is None or not ranking.rivals or not at:
        return found if found.rows else None
    level = f"{100 * part.differences['level']:.0f} % interval"
    added = (
        Column("vs best", level, hint=f"CVR-AUC minus the best, {_how(part)}"),
        Column("p", "over seeds", hint="paired t-test against the best, Holm-corrected"),
    )
    rivals = {rival.method: rival for rival in ranking.rivals}
    rows = []
    for row in found.rows:
        method = row[0].text
        if method == ranking.best:
            cells = Value("best", 0.0), Value("")
        elif method in rivals:
            cells = _distance(rivals[method], part, ranking.best), _p(rivals[method])
        else:
            cells = Value("-"), Value("-")
        rows.append((*row[:at], *cells, *row[at:]))
    return Table(found.caption, (*found.columns[:at], *added, *found.columns[at:]), tuple(rows))


def truth_table(part: Part, split: str) -> Table | None:
    """Metrics against known truth; `None` where there is none."""
    found = _metric_table(
        part, against_truth(), f"{part.title}: against the truth of the {split} split"
    )
    return found if len(found.columns) > 2 else None


def propensity_table(comparison: ComparisonFolder, part: Part) -> Table | None:
    """Clipping and weights of the methods that use propensities; `None` if none does."""
    split, clicks = comparison.split, comparison.diagnostics["clicks"]
    columns = (
        METHOD,
        Column("clip of π", numeric=False),
        Column("clipped", "train"),
        Column("clipped", split),
        Column("effective clicks", "train"),
        Column("effective clicks", split),
        Column("mean of c/π", split, hint="1 where propensities are right"),
        Column("mean of (1-c)/(1-π)", split, hint="1 where propensities are right"),
    )
    rows = []
    for method, curves in part.curves.items():
        overlap, run = curves["overlap"], part.runs[method]
        if overlap["clip"] is None:
            continue
        trained: dict[str, Any] = next((r for r in reversed(run.history) if "clip_share" in r), {})
        checks = run.propensity(split)
        rows.append(
            (
                words(method),
                words("{:g} to {:g}".format(*overlap["clip"])),
                percent(trained.get("clip_share")),
                percent(overlap["clip_share"]),
                _effective(trained.get("effective_sample_size"), trained.get("clicks")),
                _effective(overlap["effective_sample_size"], clicks),
                _plain(checks.get("click_over_pi")),
                _plain(checks.get("unclick_over_rest")),
            )
        )
    caption = f"{part.title}: propensity weights (first seed; train: its last epoch)"
    return Table(caption, columns, tuple(rows)) if rows else None


def tuned_table(part: Part) -> Table | None:
    """The settings that trials chose for each method; `None` where nothing was tuned."""
    chosen = part.summary.protocol["tuned"]
    if not chosen:
        return None
    names = dict.fromkeys(name for found in chosen.values() for name in found)
    rows = tuple(
        (words(method), *(_setting(found[name]) if name in found else Value("-") for name in names))
        for method, found in chosen.items()
    )
    columns = (METHOD, *(Column(name) for name in names))
    return Table(f"{part.title}: what the trials chose", columns, rows)


def undefined(part: Part) -> list[str]:
    """Why metrics that belong into the tables are undefined."""
    reasons = dict.fromkeys(
        f"{row.metric} ({row.space}) is undefined: {cell.undefined}"
        for row in part.summary.rows
        for cell in row.by_method.values()
        if cell.undefined and (row.metric, row.space) in recorded() + against_truth()
    )
    return list(reasons)


def gains(part: Part) -> dict[tuple[str, str], dict[str, float]]:
    """Metric and space -> method -> share of the way from predicting the mean to the true CVR."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for metric, space in GAINS:
        row = part.summary.row(metric, space)
        if row is None:
            continue
        shares = {method: row.share(method) for method in part.summary.methods}
        known = {method: share for method, share in shares.items() if share is not None}
        if known:
            found[metric, space] = known
    return found


def gain_table(part: Part) -> Table | None:
    """Share of the possible gain of each method; `None` without a true CVR."""
    shares = gains(part)
    columns = (METHOD, *(_column(*pair) for pair in shares))
    rows = tuple(
        (words(method), *(percent(by_method.get(method)) for by_method in shares.values()))
        for method in part.summary.methods
    )
    caption = f"{part.title}: share of the possible gain"
    return Table(caption, columns, rows) if shares else None


def _metric_table(part: Part, pairs: Sequence[tuple[str, str]], caption: str) -> Table:
    """One column for each metric that has a value and means something."""
    rows = [row for pair in pairs if (row := part.summary.row(*pair)) is not None]
    shown = [
        row
        for row in rows
        if not row.degenerate and any(cell.mean is not None for cell in row.by_method.values())
    ]
    passes = part.summary.protocol["passes"]
    columns = (
        METHOD,
        Column("passes", hint="over the training split, seen by the weights that were kept"),
        *(_column(row.metric, row.space) for row in shown),
    )
    lines = [
        (
            words(method),
            Value(f"{passes[method]:.3g}", passes[method]),
            *(_metric(row, row.by_method[method], method) for row in shown),
        )
        for method in part.summary.methods
    ]
    if any(row.perfect is not None for row in shown):
        lines.append((words(PERFECT), Value(""), *(_perfect(row) for row in shown)))
    return Table(caption, columns, tuple(lines))


def _column(metric: str, space: str) -> Column:
    figure = figure_named(metric)
    return Column(
        metric + (" %" if figure.metric.as_percent else ""),
        space,
        hint=f"{figure.definition}, {space} space",
    )


def _metric(row: Row, cell: OverSeeds, method: str) -> Value:
    if cell.mean is None:
        return Value("undefined", hint=cell.undefined or "")
    text = _number(row, cell.mean)
    if cell.sd is not None:
        text += f" ± {_number(row, cell.sd)}"
    return Value(text, cell.mean, marked=row.best == method)


def _perfect(row: Row) -> Value:
    value = None if row.perfect is None else row.perfect.value
    return Value("") if value is None else Value(_number(row, value), value)


def _number(row: Row, value: float) -> str:
    return f"{100 * value:.1f}" if figure_named(row.metric).metric.as_percent else f"{value:.4f}"


def _how(part: Part) -> str:
    grouped = part.intervals is not None and part.intervals["drawn"] == "groups"
    return "DeLong over clicked impressions" + (", by group" if grouped else "")


def _distance(rival: Rival, part: Part, best: str) -> Value:
    text = signed(-rival.difference)
    found = part.differences["methods"].get(rival.method)
    if found is not None and part.differences["best"] == best:
        text += f" [{signed(found['low'])}, {signed(found['high'])}]"
    return Value(text, -rival.difference)


def _p(rival: Rival) -> Value:
    if rival.p is None:
        return Value("none", hint=rival.untested or "")
    text = "< 0.001" if rival.p < 0.001 else f"{rival.p:.3f}"
    return Value(text, rival.p)


def _effective(effective: float | None, clicks: float | None) -> Value:
    if effective is None or not clicks:
        return Value("-")
    share = effective / clicks
    return Value(f"{effective:,.0f} of {clicks:,.0f} ({100 * share:.0f} %)", share)


def _plain(value: float | None) -> Value:
    return Value("-") if value is None else Value(f"{value:.3f}", value)


def _setting(value: float | str | None) -> Value:
    if isinstance(value, str):
        return Value(value, value)
    return Value("the schema's") if value is None else Value(f"{value:.4g}", value)
