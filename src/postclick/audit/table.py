"""The audit as a table: for a terminal, and as Markdown for docs/audit.md."""

from collections.abc import Sequence

from rich.table import Table

from postclick.audit.population import POPULATIONS
from postclick.audit.report import AuditEntry

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
HEADER = """| """ + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS)


def cells(entry: AuditEntry) -> tuple[str, ...]:
    """One row: ratios to truth; deciles of the true propensity as error in per cent."""
    return (
        entry.method,
        entry.population,
        "whole" if entry.full else "no CTCVR",
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
        table.add_row(*cells(entry))
    return table


def markdown_table(entries: Sequence[AuditEntry]) -> str:
    rows = ["| " + " | ".join(cells(entry)) + " |" for entry in entries]
    return "\n".join([HEADER, *rows]) + "\n"


def footnotes() -> list[str]:
    """What the populations are, and how to read the table."""
    lines = [f"{name}: {make().summary}." for name, make in POPULATIONS.items()]
    return [
        *lines,
        "1.000 is right. Losses are the library's own, in expectation, in float64; propensities "
        "can be learned exactly. In 'hidden' nothing can be right by features alone.",
    ]
