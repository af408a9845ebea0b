"""Tables of `results.py`: one for each log, and over all logs."""

from collections.abc import Mapping
from pathlib import Path

from postclick.experiments.comparison.summary import Row, Summary
from postclick.metrics.catalogue import badness

COLUMNS = (
    ("cvr_auc", "clicked", "CVR-AUC"),
    ("ctcvr_auc", "entire", "CTCVR-AUC"),
    ("ctr_auc", "entire", "CTR-AUC"),
    ("cvr_nll", "clicked", "CVR-NLL"),
    ("cvr_pcoc", "clicked", "PCOC"),
    ("true_cvr_auc", "entire", "true AUC, entire"),
    ("true_cvr_nll", "entire", "true NLL, entire"),
    ("cvr_relative_bias", "clicked", "bias %, clicked"),
    ("cvr_relative_bias", "unclicked", "bias %, unclicked"),
    ("cvr_relative_bias", "entire", "bias %, entire"),
)


def minutes(folder: Path, kinds: tuple[str, ...]) -> float:
    """From the first to the last run of these kinds, by the times of their files."""
    found = [run for kind in kinds for run in (folder / "results" / kind).glob("*/*")]
    began = min((run / "config.yaml").stat().st_mtime for run in found)
    ended = max(path.stat().st_mtime for run in found for path in run.iterdir())
    return (ended - began) / 60


def cell(row: Row | None, method: str) -> str:
    if row is None or row.by_method[method].mean is None:
        return ""
    found = row.by_method[method]
    percent = row.metric == "cvr_relative_bias"
    scale, digits = (100, 1) if percent else (1, 4)
    spread = f" ±{scale * (found.sd or 0):.{digits}f}"
    mark = " **\\***" if row.best == method else ""
    return f"{scale * (found.mean or 0):.{digits}f}{spread}{mark}"


def table(summary: Summary) -> list[str]:
    rows = [(summary.row(metric, space), title) for metric, space, title in COLUMNS]
    kept = [
        (row, title)
        for row, title in rows
        if row is not None
        and not row.degenerate
        and any(c.mean is not None for c in row.by_method.values())
    ]
    gain = next((row for row, _ in kept if row.metric == "true_cvr_nll" and row.perfect), None)
    seconds = summary.protocol.get("seconds")
    first = "CPU s" if seconds else "passes"
    header = ["method", first, *(title for _, title in kept)] + (["share %"] if gain else [])
    lines = [f"| {' | '.join(header)} |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for method in summary.methods:
        cells = [
            f"{seconds[method]:.1f}" if seconds else f"{summary.protocol['passes'][method]:.3g}",
            *(cell(row, method) for row, _ in kept),
        ]
        if gain:
            share = gain.share(method)
            cells.append("" if share is None else f"{100 * share:.0f}")
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    if gain:
        perfect = ["", *(_perfect(row) for row, _ in kept), "100"]
        lines.append(f"| the true CVR | {' | '.join(perfect)} |")
    return lines


def _perfect(row: Row) -> str:
    if row.perfect is None or row.perfect.value is None:
        return ""
    percent = row.metric == "cvr_relative_bias"
    return f"{100 * row.perfect.value:.1f}" if percent else f"{row.perfect.value:.4f}"


def across(found: Mapping[str, Summary], metric: str, space: str, *, share: bool) -> list[str]:
    """Methods by logs: means of one metric, or the share of the possible gain, the best in bold."""
    logs = {name: row for name, s in found.items() if (row := s.row(metric, space)) is not None}
    methods = list(dict.fromkeys(m for summary in found.values() for m in summary.methods))
    values = {
        name: {
            m: value
            for m in found[name].methods
            if (value := row.share(m) if share else row.by_method[m].mean) is not None
        }
        for name, row in logs.items()
        if not row.degenerate
    }
    values = {name: column for name, column in values.items() if column}
    best = {
        name: min(column, key=lambda m: -column[m] if share else badness(metric, column[m]))
        for name, column in values.items()
    }
    header = ["method", *values]
    lines = [f"| {' | '.join(header)} |", "|---" + "|---:" * len(values) + "|"]
    for method in methods:
        cells = [
            _short(column.get(method), method == best[name], metric, share)
            for name, column in values.items()
        ]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return lines


def _short(value: float | None, best: bool, metric: str, share: bool) -> str:
    if value is None:
        return ""
    percent = share or metric == "cvr_relative_bias"
    text = f"{100 * value:.0f}" if percent else f"{value:.4f}"
    return f"**{text}**" if best else text


def defaults_against_tuned(pairs: Mapping[str, tuple[Summary, Summary]]) -> list[str]:
    """Tuned CVR-AUC minus that of the defaults, by log and method."""
    methods = next(iter(pairs.values()))[1].methods
    lines = [
        f"| log | {' | '.join(f'`{m}`' for m in methods)} |",
        "|---" + "|---:" * len(methods) + "|",
    ]
    for name, (fixed, tuned) in pairs.items():
        key = ("cvr_auc", "clicked")
        a, b = fixed.row(*key), tuned.row(*key)
        if a is None or b is None or any(a.by_method[m].mean is None for m in methods):
            key = ("true_cvr_auc", "entire")
            a, b = fixed.row(*key), tuned.row(*key)
        assert a is not None
        assert b is not None
        cells = [f"{(b.by_method[m].mean or 0) - (a.by_method[m].mean or 0):+.4f}" for m in methods]
        note = "" if key[0] == "cvr_auc" else " (true AUC)"
        lines.append(f"| {name}{note} | {' | '.join(cells)} |")
    return lines
