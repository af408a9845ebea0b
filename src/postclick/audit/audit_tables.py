"""The audit as tables: every figure for a terminal, one line per loss as Markdown for the docs."""

from collections.abc import Sequence

from rich.table import Table

from postclick.audit.population import POPULATIONS
from postclick.audit.run_audit import AuditEntry

COLUMNS = (
    "method",
    "population",
    "loss",
    "clicked",
    "unclicked",
    "entire",
    "lowest decile",
    "highest decile",
    "pCTR",
    "verdict",
)
# Where the features explain the selection, a method can be right.
HIDDEN = ("hidden", "exposed", "exposed_skewed")


def table_row(entry: AuditEntry) -> tuple[str, ...]:
    """One row: ratios to truth; deciles of the true propensity as error in per cent."""
    return (
        entry.method,
        entry.population,
        _loss(entry.full),
        f"{entry.clicked:.3f}",
        f"{entry.unclicked:.3f}",
        f"{entry.entire:.3f}",
        f"{100 * entry.deciles[0]:+.0f} %",
        f"{100 * entry.deciles[-1]:+.0f} %",
        f"{entry.ctr_ratio:.3f}",
        entry.verdict,
    )


def terminal_table(entries: Sequence[AuditEntry]) -> Table:
    table = Table(title="Converged mean pCVR over mean true CVR", title_justify="left")
    for column in COLUMNS:
        words = column in ("method", "population", "loss", "verdict")
        table.add_column(column, justify="left" if words else "right", no_wrap=column == "method")
    for entry in entries:
        table.add_row(*table_row(entry))
    return table


def markdown_table(entries: Sequence[AuditEntry]) -> str:
    """One line per method and loss: clicked / unclicked / entire by population, and the verdict."""
    populations = list(dict.fromkeys(entry.population for entry in entries))
    header = ["method", "loss", *populations, "worst decile", "pCTR off, logits", "verdict"]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for method, full in dict.fromkeys((entry.method, entry.full) for entry in entries):
        mine = [e for e in entries if (e.method, e.full) == (method, full)]
        seen = [e for e in mine if e.population not in HIDDEN] or mine
        worst = max((d for e in seen for d in e.deciles), key=abs)
        by_population = {e.population: e for e in mine}
        figures = [_spaces(by_population[name]) for name in populations]
        ctr = max(e.ctr_logit_error for e in seen)
        found = [f"`{method}`", _loss(full), *figures, f"{100 * worst:+.0f} %", f"{ctr:.2f}"]
        lines.append(f"| {' | '.join([*found, _overall(seen)])} |")
    return "\n".join(lines) + "\n"


def _loss(full: bool) -> str:
    return "whole" if full else "no CTCVR"


def _spaces(entry: AuditEntry) -> str:
    return f"{entry.clicked:.2f} / {entry.unclicked:.2f} / {entry.entire:.2f}"


def _overall(entries: Sequence[AuditEntry]) -> str:
    """The verdict of the population that a loss does worst on."""
    biased = [entry for entry in entries if entry.verdict != "consistent"]
    if not biased:
        return "consistent"
    worst = max(biased, key=lambda entry: (abs(entry.entire - 1), entry.ctr_logit_error))
    return f"{worst.population}: {worst.verdict}"


def footnotes() -> list[str]:
    """What the populations are, and how to read the table."""
    lines = [f"{name}: {make().summary}." for name, make in POPULATIONS.items()]
    return [
        *lines,
        "1.000 is right. Losses are the library's own, in expectation, in float64; propensities "
        "can be learned exactly. In 'hidden' nothing can be right by features alone.",
    ]
