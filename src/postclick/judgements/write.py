"""A judgement as a folder: the page, summary.json, and each kind of figure as Parquet."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args, get_type_hints

import polars as pl

from postclick.errors import InputError
from postclick.judging.predicted.result import (
    Bucket,
    Difference,
    Figure,
    JudgedLog,
    SegmentFigure,
)
from postclick.system.files import staged, write_json, write_text

SUMMARY, REPORT = "summary.json", "report.html"
FORMAT = 1
TABLES = {
    "figures": Figure,
    "differences": Difference,
    "segments": SegmentFigure,
    "buckets": Bucket,
}


def check_place(out: Path) -> None:
    """Refuse a place that is taken, before the work is done.

    Raises:
        InputError: there is something.
    """
    if out.exists():
        raise InputError(f"{out} exists already: name another folder, or remove it")


def write_judgement(out: Path, judged: JudgedLog) -> None:
    """Write all there is of a judgement, in one step.

    Raises:
        InputError: the place is taken, or cannot be written to.
    """
    from postclick.judgements.page.render import render  # the page alone needs jinja2

    check_place(out)
    with staged(out) as folder:
        write_json(folder / SUMMARY, {"format": FORMAT, **judged.as_dict()})
        write_text(folder / REPORT, render(judged))
        for name, kind in TABLES.items():
            table(getattr(judged, name), kind).write_parquet(folder / f"{name}.parquet")


def table(rows: Sequence[Any], kind: type) -> pl.DataFrame:
    """Figures as a tidy table, with the same columns whatever there is.

    >>> table([], Bucket).columns[:3]
    ['model', 'quantity', 'number']
    """
    schema = {name: _column_type(hint) for name, hint in get_type_hints(kind).items()}
    return pl.DataFrame([asdict(one) for one in rows], schema=schema, orient="row")


def _column_type(hint: Any) -> type[pl.DataType]:
    """Of a field that is text, a whole number or a number, or None."""
    if hint is int or int in get_args(hint):
        return pl.Int64
    return pl.Float64 if hint is float or float in get_args(hint) else pl.String
