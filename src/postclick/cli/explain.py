"""`postclick explain`: what a run has found, in numbers that people can read."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from postclick.cli.shared import Json, app
from postclick.console import one_line_errors, print_json, print_tables


@app.command()
def explain(run: Annotated[Path, typer.Argument(help="A run folder.")], json: Json = False) -> None:
    """Say which fields carry clicks and conversions, and how clicking and buying hang together.

    \b
    Example: postclick explain run
    """
    from postclick.runs.run import Run

    with one_line_errors():
        found = Run(run).explain()
    if json:
        return print_json(found.as_dict())
    print(found.sentence)
    tables = []
    for head, of in (("ctr", "clicks (pCTR)"), ("cvr", "conversions (pCVR)")):
        table = Table(title=f"What carries {of}", title_justify="left")
        for name in ("field", "spread", "prior variance"):
            table.add_column(name, justify="left" if name == "field" else "right")
        for one in found.fields:
            if one.head == head:
                table.add_row(escape(one.field), f"{one.spread:.3f}", f"{one.variance:.4f}")
        tables.append(table)
    note = "spread: standard deviation over the rows of what the field adds to the logit."
    print_tables(tables, [note])
    return None
