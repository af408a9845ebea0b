"""`postclick explain`: what a run has found, in numbers that people can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from postclick.cli.shared import Json, app
from postclick.console import one_line_errors, print_json, print_tables

if TYPE_CHECKING:
    from postclick.linear.likelihood_ratio import Profile
    from postclick.methods.explanation import Explanation
    from postclick.methods.member_weights import MemberWeights

CARRIED = {"ctr": "clicks (pCTR)", "cvr": "conversions (pCVR)"}
SPREAD_NOTE = "spread: standard deviation over the rows of what the field adds to the logit."
PROFILE_NOTE = "log-likelihood: of held-out conversions, below the greatest; * within."
WEIGHTS_NOTE = (
    "loss: mean logistic loss of held-out rows, of the member alone; behind: how far it is above "
    "that of the mean, x 1e4, with its 95 % interval."
)


@app.command()
def explain(run: Annotated[Path, typer.Argument(help="A run folder.")], json: Json = False) -> None:
    """Say which fields carry clicks and conversions, and how clicking and buying hang together.

    Of a mean whose weights were chosen: what each member counts, and how good it is alone.
    Of a method that knows of a hidden cause, also how far it drives both, and with what likelihood.

    \b
    Example: postclick explain run
    """
    from postclick.methods.member_weights import MemberWeights
    from postclick.runs.run import Run

    with one_line_errors():
        found = Run(run).explain()
    if json:
        return print_json(found.as_dict())
    print(found.sentence)
    if isinstance(found, MemberWeights):
        print_tables([_weights(found, head) for head in CARRIED], [WEIGHTS_NOTE])
        return None
    tables, notes = [_fields(found, head) for head in CARRIED], [SPREAD_NOTE]
    if found.dependence is not None and found.dependence.profile is not None:
        tables.insert(0, _profile(found.dependence.profile))
        notes.insert(0, PROFILE_NOTE)
    print_tables(tables, notes)
    return None


def _fields(found: Explanation, head: str) -> Table:
    table = Table(title=f"What carries {CARRIED[head]}", title_justify="left")
    for name in ("field", "spread", "prior variance"):
        table.add_column(name, justify="left" if name == "field" else "right")
    for one in found.fields:
        if one.head == head:
            table.add_row(escape(one.field), f"{one.spread:.3f}", f"{one.variance:.4f}")
    return table


def _profile(found: Profile) -> Table:
    from postclick.linear.likelihood_ratio import CUT

    table = Table(title="Profile of dependence s", title_justify="left")
    for name in ("s", "log-likelihood"):
        table.add_column(name, justify="right")
    for s, loss in zip(found.at, found.loss, strict=True):
        table.add_row(f"{s:.2f}", f"{-loss:z.2f} {'*' if loss <= CUT else ' '}")
    return table


def _weights(found: MemberWeights, head: str) -> Table:
    from postclick.reporting.weights_table import behind_text

    table = Table(title=f"What members count in {CARRIED[head]}", title_justify="left")
    for name in ("member", "weight", "loss", "behind"):
        table.add_column(name, justify="left" if name == "member" else "right")
    for one in found.of(head):
        table.add_row(escape(one.member), f"{one.weight:.3f}", f"{one.loss:.5f}", behind_text(one))
    table.add_row("their mean", "1", f"{found.loss(head):.5f}", "-")
    return table
