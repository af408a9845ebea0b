"""The sensitivity band of a run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from postclick.cli.shared import Data, Json, app
from postclick.console import one_line_errors, print_json, print_tables


@app.command()
def sensitivity(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Data,
    split: Annotated[str, typer.Option(help="Whose impressions are looked at.")] = "test",
    low: Annotated[float, typer.Option(help="Least dependence s.")] = -1.0,
    high: Annotated[float, typer.Option(help="Greatest dependence s.")] = 2.0,
    values: Annotated[int, typer.Option(help="Of s between them, 0 besides.")] = 13,
    latent: Annotated[
        Literal["normal", "two_point", "skewed"],
        typer.Option(help="Distribution of the cause."),
    ] = "normal",
    out: Annotated[
        Path | None, typer.Option(help="Folder for sensitivity.json and sensitivity.svg.")
    ] = None,
    json: Json = False,
) -> None:
    """Mean pCVR where nobody clicked, as a cause that no feature shows matters more or less.

    \b
    Example: postclick sensitivity run data --low -1 --high 2 --out band
    """
    from rich.table import Table

    from postclick.reporting.sensitivity import sensitivity_svg
    from postclick.runs.sensitivity import sensitivity as find
    from postclick.system.files import make_folder, write_json, write_text

    with one_line_errors():
        found = find(run, data, split, low=low, high=high, values=values, latent=latent)
        if out is not None:
            make_folder(out)
            write_json(out / "sensitivity.json", found.as_dict())
            write_text(out / "sensitivity.svg", sensitivity_svg(found))
    if json:
        return print_json(found.as_dict())
    table = Table(title="Mean pCVR by dependence", title_justify="left")
    for name in ("s", "nobody clicked", "all impressions", "clicked"):
        table.add_column(name, justify="right")
    for one in found.points:
        rates = (f"{rate:.5f}" for rate in (one.unclicked, one.entire, found.clicked))
        table.add_row(f"{one.s:g}", *rates)
    notes = [found.sentence]
    if found.estimate is not None:
        best, least, most = found.estimate
        notes.append(f"the run itself found s = {best:.2f} ({least:.2f} to {most:.2f})")
    if found.caution is not None:
        notes.append(f"warning: {found.caution}")
    print_tables([table], notes)
    return None
