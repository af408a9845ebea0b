"""Tables as plain data for the template."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from postclick.judgements.page.words import ends, number, shortened


@dataclass(frozen=True)
class Cell:
    """What is read, what stands small below it, and what shows when it is pointed at.

    Attributes:
        tone: `good` for what is better beyond noise, `off` for what is wrong beyond noise.
    """

    text: str
    below: str = ""
    hint: str = ""
    tone: Literal["", "good", "off"] = ""


@dataclass(frozen=True)
class Column:
    """A header; columns that follow each other with one `over` have it above them."""

    title: str
    below: str = ""
    hint: str = ""
    over: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Span:
    """A header over `columns` columns; alone, it reaches down over both rows of headers."""

    title: str
    columns: int
    column: Column | None = None


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row.

    Attributes:
        note: a sentence below the caption; `below` those below the table.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    below: tuple[str, ...] = ()

    @property
    def spans(self) -> list[Span]:
        """The upper of two rows of headers; empty where one is enough."""
        if not any(column.over for column in self.columns):
            return []
        found: list[Span] = []
        for over, group in groupby(self.columns, key=lambda column: column.over):
            columns = list(group)
            if over:
                found.append(Span(over, len(columns)))
            else:
                found += [Span(column.title, 1, column) for column in columns]
        return found


def named(text: str) -> Cell:
    """A name or a value of a feature, cut short where it is very long."""
    short = shortened(text)
    return Cell(short, hint="" if short == text else shortened(text, 300))


def count(n: float) -> Cell:
    """A whole number.

    >>> count(12345).text
    '12,345'
    """
    return Cell(f"{n:,.0f}")


def measured(
    value: float | None,
    low: float | None,
    high: float | None,
    digits: int = 4,
    *,
    hint: str = "",
) -> Cell:
    """A value with its interval below it.

    >>> measured(0.73815, 0.7307, 0.7456).below
    '0.7307 to 0.7456'
    """
    return Cell(number(value, digits), ends(low, high, digits), hint)
