"""Tables as plain data for the template, and those of the log."""

from dataclasses import dataclass

from postclick.reporting.folder import ComparisonFolder


@dataclass(frozen=True)
class Value:
    """A cell: what is read, and what it is sorted by (`None`: after all others)."""

    text: str
    sort: float | str | None = None
    marked: bool = False
    hint: str = ""


@dataclass(frozen=True)
class Column:
    """A header: a title, a line below it, and what shows when it is pointed at."""

    title: str
    below: str = ""
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table with one header row; the first column names the row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]


def funnel_table(comparison: ComparisonFolder) -> Table:
    """Rows, clicks and conversions of every split; rates by the rows' weights, if any."""
    columns = (
        Column("split", numeric=False),
        Column("impressions"),
        Column("clicks"),
        Column("CTR", "clicks / impressions"),
        Column("conversions"),
        Column("CVR", "conversions / clicks"),
        Column("known truth", numeric=False),
    )
    rows = tuple(
        (
            words(name),
            count(split.rows),
            count(split.clicks),
            _rate((split.weight or split).clicks, (split.weight or split).rows),
            count(split.conversions),
            _rate((split.weight or split).conversions, (split.weight or split).clicks),
            words(", ".join(split.truth) or "none"),
        )
        for name, split in comparison.manifest.splits.items()
    )
    return Table("Impressions, clicks and recorded conversions of each split", columns, rows)


def findings_table(comparison: ComparisonFolder) -> Table | None:
    """What was found when the log was prepared; `None` if nothing was."""
    findings = comparison.manifest.findings
    columns = (
        Column("severity", numeric=False),
        Column("finding", numeric=False),
        Column("column", numeric=False),
        Column("rows"),
        Column("message", numeric=False),
    )
    rows = tuple(
        (
            words(found["severity"]),
            words(found["code"]),
            words(found["column"] or "-"),
            count(found["rows"]),
            words(found["message"]),
        )
        for found in findings
    )
    return Table("Findings of the checks", columns, rows) if rows else None


def words(text: str) -> Value:
    """A cell that is sorted as text."""
    return Value(text, text)


def count(n: float) -> Value:
    """A whole number with thousands separators."""
    return Value(f"{n:,.0f}", n)


def percent(value: float | None, digits: int = 1, hint: str = "") -> Value:
    """A share as percent; a dash where there is none."""
    if value is None:
        return Value("-", hint=hint)
    return Value(f"{100 * value:.{digits}f} %", value, hint=hint)


def _rate(part: float, whole: float) -> Value:
    return Value(f"{part / whole:.4f}", part / whole) if whole else Value("-")
