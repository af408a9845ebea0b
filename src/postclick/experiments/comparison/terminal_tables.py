"""A comparison as tables for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from postclick.experiments.comparison.summary import OverSeeds, Row, Summary
from postclick.metrics.catalogue import added, figure_named

# Columns of a terminal that the tables fit.
WIDTH = 100
# What stands side by side in them.
KINDS = {"auc": "ranking", "gauc": "ranking", "nll": "likelihood"} | dict.fromkeys(
    ("pcoc", "bias", "relative_bias"), "calibration"
)
# What is shown of our metrics, in this order; results.parquet and summary.json hold everything.
RECORDED = (
    ("cvr_auc", "clicked"),
    ("ctcvr_auc", "entire"),
    ("ctr_auc", "entire"),
    ("cvr_gauc", "clicked"),
    ("ctcvr_gauc", "entire"),
    ("ctr_gauc", "entire"),
    ("cvr_nll", "clicked"),
    ("ctcvr_nll", "entire"),
    ("cvr_pcoc", "clicked"),
    ("ctcvr_pcoc", "entire"),
)
TRUTH = tuple(
    (metric, space)
    for metric in ("true_cvr_auc", "true_cvr_nll", "cvr_relative_bias")
    for space in ("clicked", "unclicked", "entire")
)
# The metric whose possible gain, from the mean CVR to the true CVR, is 100 %.
GAIN = ("true_cvr_nll", "entire")
SHORT = {"cvr_relative_bias": "bias %", "true_cvr_auc": "true AUC", "true_cvr_nll": "true NLL"}


def recorded() -> tuple[tuple[str, str], ...]:
    """What is shown on recorded labels, registered metrics of others at the end."""
    return (*RECORDED, *_others(truth=False))


def against_truth() -> tuple[tuple[str, str], ...]:
    """What is shown against known truth, registered metrics of others at the end."""
    return (*TRUTH, *_others(truth=True))


def _others(truth: bool) -> list[tuple[str, str]]:
    figures = [figure for figure in added() if figure.needs_truth == truth]
    return [(figure.name, space) for figure in figures for space in figure.spaces]


def tables(summary: Summary) -> list[Table]:
    """Tables on recorded labels and, where truth is known, against truth; as wide as `WIDTH`.

    What belongs together stays in one table where that is wide enough for it.
    """
    how = "tuned on validation" if summary.protocol["tuned"] else "same length for all"
    split = summary.protocol["split"]
    return [
        *_stacked(summary, recorded(), f"Recorded labels, {how} ({split} split)"),
        *_stacked(summary, against_truth(), f"Against known truth, {how} ({split} split)"),
    ]


def _stacked(summary: Summary, columns: tuple[tuple[str, str], ...], title: str) -> list[Table]:
    """One table, or several below each other, each with as many columns as fit."""
    kinds: dict[str, list[Row]] = {}
    for row in _shown(summary, columns):
        kinds.setdefault(KINDS.get(figure_named(row.metric).metric.name, "other"), []).append(row)
    cut: list[list[Row]] = []
    for rows in kinds.values():
        place = next((held for held in cut if _fits(summary, [*held, *rows])), None)
        if place is not None:
            place += rows
            continue
        cut.append([])
        for row in rows:
            if cut[-1] and not _fits(summary, [*cut[-1], row]):
                cut.append([])
            cut[-1].append(row)
    return [_table(summary, rows, title if k == 0 else None) for k, rows in enumerate(cut)]


def _fits(summary: Summary, rows: list[Row]) -> bool:
    console = Console(width=10 * WIDTH)
    return console.measure(_table(summary, rows, None)).maximum <= WIDTH


def _table(summary: Summary, shown: list[Row], title: str | None) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column("method", max_width=24, overflow="fold")
    passes: dict[str, float] = summary.protocol["passes"]
    told = title is not None and len({f"{n:.3g}" for n in passes.values()}) > 1
    if told:
        table.add_column("passes", justify="right")
    for row in shown:
        table.add_column(f"{_short(row.metric)}\n{row.space}", justify="right", no_wrap=True)
    gain = next((r for r in shown if (r.metric, r.space) == GAIN and r.perfect), None)
    if gain:
        table.add_column("share of\ngain %", justify="right")
    for method in summary.methods:
        cells = [f"{passes[method]:.3g}"] if told else []
        cells += [_text(row, row.by_method[method], method) for row in shown]
        table.add_row(method, *cells, *([_share(gain, method)] if gain else []))
    if any(row.perfect for row in shown):
        perfect = [_number(row, row.perfect.value if row.perfect else None) for row in shown]
        cells = [*([""] if told else []), *perfect, *(["100"] if gain else [])]
        table.add_row("the true CVR", *cells, style="dim")
    return table


def _short(metric: str) -> str:
    if metric in SHORT:
        return SHORT[metric]
    return f"{metric} %" if figure_named(metric).metric.as_percent else metric


def _shown(summary: Summary, columns: tuple[tuple[str, str], ...]) -> list[Row]:
    """The rows of a summary that become columns of a table."""
    rows = [row for pair in columns if (row := summary.row(*pair)) is not None]
    return [
        row
        for row in rows
        if not row.degenerate and any(m.mean is not None for m in row.by_method.values())
    ]


def _text(row: Row, found: OverSeeds, method: str) -> str:
    if found.mean is None:
        return "undefined"
    text = _number(row, found.mean)
    if found.sd is not None:
        text += f" ±{_number(row, found.sd)}"
    return f"[bold]{text}*[/bold]" if row.best == method else f"{text} "


def _number(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    if figure_named(row.metric).metric.as_percent:
        return f"{100 * value:.1f}"
    text = f"{value:.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and text[-6:-4] == "0." else text


def _share(row: Row, method: str) -> str:
    share = row.share(method)
    return "" if share is None else f"{100 * share:.1f}"


def footnotes(summary: Summary) -> list[str]:
    """What a reader of the tables has to know."""
    protocol = summary.protocol
    notes = [
        f"{summary.seeds} seeds, mean ± standard deviation; backbone {protocol['backbone']} "
        f"({protocol['backbone_note']}); {protocol['length']}."
    ]
    if protocol["tuned"]:
        trials = ", ".join(f"{name} {_tuned(found)}" for name, found in protocol["tuned"].items())
        notes.append(f"chosen on validation: {trials}.")
    if summary.seeds > 1 and len(summary.methods) > 1:
        notes += _marks(summary)
    if any((row.metric, row.space) == GAIN and row.perfect for row in summary.rows):
        notes.append(
            "share of gain: of the way in true NLL (entire) from predicting the mean CVR to "
            "predicting the true CVR; where a confounder is hidden no model can go all of it."
        )
    reasons = {
        f"{row.metric} ({row.space}): {found.undefined}"
        for row in summary.rows
        for found in row.by_method.values()
        if found.undefined and (row.metric, row.space) in recorded() + against_truth()
    }
    return notes + [f"undefined: {reason}" for reason in sorted(reasons)]


def _marks(summary: Summary) -> list[str]:
    """What a mark says, or that there is none; and what other test rows could have turned."""
    shown = _shown(summary, recorded() + against_truth())
    marked = any(row.best for row in shown)
    seeds, rows = summary.protocol["test"], summary.protocol["test_over_rows"]
    notes = [f"* beats every other method in both tests: {seeds}; and {rows}."]
    if not marked:
        notes = [f"No method is marked as best: none passes both tests ({seeds}; and {rows})."]
    turned = [
        f"{row.best_over_seeds} in {row.metric} ({row.space}), not over {', '.join(test.open_to)}"
        for row in shown
        if (test := row.over_rows) is not None and not test.holds
    ]
    return notes + ([f"Best over seeds alone: {'; '.join(turned)}."] if turned else [])


def _tuned(found: Mapping[str, Any]) -> str:
    """The settings that the trials chose, in short."""
    if "embedding_dim" not in found:  # the options of a method that fits itself
        own = {name: value for name, value in found.items() if name not in ("trial", "validation")}
        return "(" + ", ".join(f"{name} {value}" for name, value in own.items()) + ")"
    dim = found["embedding_dim"] or "schema's"
    return (
        f"(lr {found['lr']:.2g}, decay {found['weight_decay']:.2g}, "
        f"dropout {found['dropout']:g}, dim {dim})"
    )
