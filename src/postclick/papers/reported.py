"""The numbers that the papers report, as data."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

HEADER = ["paper", "table", "dataset", "method", "metric", "value"]


@dataclass(frozen=True)
class Reported:
    """One number of a table of a paper; `method` is the row's title there.

    >>> Reported("EVI", "Table 2", "Ali-CCP", "EVI", "CVR-AUC", 0.6802).value
    0.6802
    """

    paper: str
    table: str
    dataset: str
    method: str
    metric: str
    value: float


def read_reported(lines: Iterable[str]) -> tuple[Reported, ...]:
    """Parse and check the lines of reported_numbers.csv.

    Raises:
        ValueError: a wrong header or number of columns, an empty cell, a number twice, or one
            that its metric cannot have.

    >>> text = ["paper,table,dataset,method,metric,value", "EVI,Table 2,Ali-CCP,EVI,CVR-NLL,.03"]
    >>> read_reported(text)[0].metric
    'CVR-NLL'
    """
    rows = csv.reader(lines)
    header = next(rows, [])
    if header != HEADER:
        raise ValueError(f"line 1: header {header}, expected {HEADER}")
    found: dict[tuple[str, ...], Reported] = {}
    for row in rows:
        if len(row) != len(HEADER) or not all(row):
            raise ValueError(f"line {rows.line_num}: expected {len(HEADER)} filled cells: {row}")
        paper, table, dataset, method, metric, text = row
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"line {rows.line_num}: {text!r} is not a number") from None
        if not _possible(metric, value):
            raise ValueError(f"line {rows.line_num}: {metric} cannot be {text}")
        if tuple(row[:-1]) in found:
            raise ValueError(f"line {rows.line_num}: {', '.join(row[:-1])} stands twice")
        found[tuple(row[:-1])] = Reported(paper, table, dataset, method, metric, value)
    return tuple(found.values())


def _possible(metric: str, value: float) -> bool:
    if metric.endswith("-AUC"):
        return 0.5 < value < 1
    return math.isfinite(value) and (value > 0 or metric.endswith("(%)"))


@cache
def reported_numbers() -> tuple[Reported, ...]:
    """All numbers that the package carries."""
    path = files("postclick.papers") / "reported_numbers.csv"
    return read_reported(path.read_text(encoding="utf-8").splitlines())


def reported_table(paper: str, table: str) -> dict[str, dict[tuple[str, str], float]]:
    """Data set -> (method, metric) -> value, in the paper's order; empty if there is no table.

    >>> reported_table("EVI", "Table 1")["AE-FR"]["EVI w/o VIE", "CVR-AUC"]
    0.7971
    """
    found: dict[str, dict[tuple[str, str], float]] = {}
    for number in reported_numbers():
        if (number.paper, number.table) == (paper, table):
            by_key = found.setdefault(number.dataset, {})
            by_key[number.method, number.metric] = number.value
    return found
