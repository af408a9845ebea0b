"""The application, and the options that several commands share."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from postclick.console import OneLineGroup, fail

app = typer.Typer(
    name="postclick",
    help="Post-click conversion-rate (CVR) estimation over the entire impression space.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help, in half the time
    cls=OneLineGroup,
)


def _print_version(asked: bool) -> None:
    if asked:
        from postclick.version import __version__

        print(f"postclick {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    imports: Annotated[
        list[str],
        typer.Option(
            "--import",
            metavar="PACKAGE",
            help="Let methods, networks, metrics and data sets come from this installed package.",
        ),
    ] = [],  # noqa: B006
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    if imports:
        from postclick.registry import allow

        missing = [name for name in imports if find_spec(name.partition(".")[0]) is None]
        if missing:
            fail(f"--import {missing[0]}: no such package is installed here, nor on PYTHONPATH")
        allow(*imports)


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ExposureAt = Annotated[
    str | None,
    typer.Option(help="Value of the exposure at which pCTR is predicted, or average."),
]
Out = Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.")]
Kept = Annotated[Path, typer.Option("--out", help="Folder; finished runs in it are kept.")]
Logs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, 'globs', s3:// and other URLs, Delta, Iceberg, DuckDB."),
]
Data = Annotated[Path, typer.Argument(help="A prepared log.")]
OneData = Annotated[
    Path | None, typer.Argument(help="The prepared log of the run; or a raw one with --log.")
]
RawLogs = Annotated[
    list[str],
    typer.Option("--log", help="Files or tables of a raw log with labels; may be repeated."),
]
BadRowsOption = Annotated[
    Literal["error", "drop", "keep"],
    typer.Option("--on-bad-rows", help="Wrong labels of a raw log, as in 'prepare'."),
]
Sets = Annotated[list[str], typer.Option("--set", help="A setting as key=value; may be repeated.")]
Tracks = Annotated[
    list[str],
    typer.Option("--track", help="mlflow[:URI] or tensorboard[:DIR]; may be repeated."),
]
By = Annotated[
    str, typer.Option(help="Features, comma separated: every metric per value of each as well.")
]
Metrics = Annotated[
    list[str],
    typer.Option("--metric", help="A metric beside ours: package.module:Class; may be repeated."),
]
Reads = Annotated[
    list[str],
    typer.Option(
        "--read",
        help="How text files are written, KEY=VALUE: separator, decimal, header, encoding or "
        "missing; may be repeated.",
    ),
]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one per core.")]


def register_metrics(places: list[str]) -> None:
    """Have the metrics of `--metric` computed and known in this process."""
    if places:
        from postclick.metrics import register

        for place in places:
            register(place)


def names(text: str) -> list[str]:
    """Comma-separated names."""
    return [name.strip() for name in text.split(",") if name.strip()]
