"""`postclick explain`: what a run has found, in numbers that people can read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from postclick.cli.shared import Json, app
from postclick.console import one_line_errors, print_json, print_tables

if TYPE_CHECKING:
    from postclick.linear.likelihood_ratio import Profile


@app.command()
def explain(run: Annotated[Path, typer.Argument(help="A run folder.")], json: Json = False) -> None:
    """Say which fields carry clicks and conversions, and how clicking and buying hang together.

    Of a method that knows of a hidden cause, also how far it drives both, and with what likelihood.

    \b
    Example: postclick explain run
    """
    from postclick.runs.run import Run

    with one_line_errors():
        found = Run(run).explain()
    if json:
        return print_json(found.as_dict())
    print(found.sentence)
    tables, notes = [], []
    if found.dependence is not None and found.dependence.profile is not None:
        tables.append(_profile(found.dependence.profile))
        notes.append("log-likelihood: of held-out conversions, below the greatest; * within.")
    for head, of in (("ctr", "clicks (pCTR)"), ("cvr", "conversions (pCVR)")):
        table = Table(title=f"What carries {of}", title_justify="left")
        for name in ("field", "spread", "prior variance"):
            table.add_column(name, justify="left" if name == "field" else "right")
        for one in found.fields:
            if one.head == head:
                table.add_row(escape(one.field), f"{one.spread:.3f}", f"{one.variance:.4f}")
        tables.append(table)
    notes.append("spread: standard deviation over the rows of what the field adds to the logit.")
    print_tables(tables, notes)
    return None


def _profile(found: "Profile") -> Table:
    from postclick.linear.likelihood_ratio import CUT

    table = Table(title="Profile of dependence s", title_justify="left")
    for name in ("s", "log-likelihood"):
        table.add_column(name, justify="right")
    for s, loss in zip(found.at, found.loss, strict=True):
        table.add_row(f"{s:.2f}", f"{-loss:z.2f} {'*' if loss <= CUT else ' '}")
    return table
