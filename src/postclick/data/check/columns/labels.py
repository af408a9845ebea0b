"""Findings on the labels: are they 0/1, do conversions follow clicks, are there enough?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from postclick.data.check.findings import Finding, Funnel, Severity, share
from postclick.data.manifest import CLICK, CONVERSION
from postclick.data.read.canonical import Issues
from postclick.data.read.values.bad_values import NOT_BINARY
from postclick.data.schema import Label, LogSchema
from postclick.data.schema.label import is_number
from postclick.errors import InputError
from postclick.spelling import counted, option
from postclick.suggest import meant

# Fewer clicks or conversions than this in a split: figures on it are mostly noise.
FEW_CLICKS, FEW_CONVERSIONS = 100, 100
# In a label, they mean 1.
YES_WORDS = frozenset(
    [
        "yes",
        "y",
        "t",
        "true",
        "on",
        "click",
        "clicked",
        "buy",
        "paid",
        "purchase",
        "purchased",
        "converted",
    ]
)
# What to do with rows whose labels are wrong.
BadRows = Literal["error", "drop", "keep"]
# In canonical frames: rows that "drop" leaves, and the conversion that "keep" records.
RIGHT_LABELS = (
    pl.col(CLICK).is_not_null()
    & pl.col(CONVERSION).is_not_null()
    & (pl.col(CONVERSION) <= pl.col(CLICK))
)
CLICKED_CONVERSION = (
    pl.when((pl.col(CLICK) == 0) & (pl.col(CONVERSION) == 1))
    .then(pl.lit(0, pl.Int8))
    .otherwise(pl.col(CONVERSION))
    .alias(CONVERSION)
)


def require_policy(on_bad_rows: str) -> None:
    """Raise `InputError` unless it is one of `BadRows`."""
    if on_bad_rows not in get_args(BadRows):
        near = meant(on_bad_rows, get_args(BadRows))
        raise InputError(
            f"{option('on_bad_rows')} is {on_bad_rows!r}{near}: choose error, drop or keep"
        )


@dataclass
class LabelCounts:
    """Sums over rows; those with a label that is not 0/1 count as rows only.

    Attributes:
        clickless: conversions without a click.
        right: rows, clicks and conversions among the rows whose labels are both right.
    """

    rows: int = 0
    clicks: int = 0
    conversions: int = 0
    clickless: int = 0
    right: tuple[int, int, int] = (0, 0, 0)

    def add(self, click: pl.Series, conversion: pl.Series) -> None:
        self.rows += len(click)
        self.clicks += int(click.sum())
        self.conversions += int(conversion.sum())
        self.clickless += int(((click == 0) & (conversion == 1)).sum())
        right = (conversion <= click).fill_null(False)
        kept = click.filter(right).sum(), conversion.filter(right).sum()
        self._add_right((int(right.sum()), int(kept[0]), int(kept[1])))

    def _add_right(self, right: tuple[int, int, int]) -> None:
        rows, clicks, conversions = self.right
        self.right = rows + right[0], clicks + right[1], conversions + right[2]

    @property
    def drop_keeps_all(self) -> bool:
        """Whether rows without a click, and clicks with and without a conversion, stay after it."""
        rows, clicks, conversions = self.right
        return 0 < conversions < clicks < rows

    def merge(self, other: "LabelCounts") -> None:
        self.rows += other.rows
        self.clicks += other.clicks
        self.conversions += other.conversions
        self.clickless += other.clickless
        self._add_right(other.right)

    def funnel(self) -> Funnel:
        return Funnel(self.rows, self.clicks, self.conversions)


def label_findings(
    schema: LogSchema,
    split: str,
    raw: LabelCounts,
    issues: Issues,
    policy: BadRows,
    verb: str = "prepare",
) -> list[Finding]:
    """Wrong labels of a log, counted before `policy` dealt with them; `verb` is what takes it."""
    found = []
    drop, keep = (option("on_bad_rows", choice) for choice in ("drop", "keep"))
    severity: Severity = "warning" if policy == "drop" else "error"
    for label in (schema.click, schema.conversion):
        name = label.column
        examples = issues.examples.get((NOT_BINARY, name), ())
        mend = "those rows are left out" if policy == "drop" else _mend(label, raw, examples)
        rows = issues.rows[NOT_BINARY, name]
        if rows:
            values = ", ".join(issues.examples[NOT_BINARY, name])
            message = (
                f"{split}: label {name!r} is not 0 or 1 in {share(rows, raw.rows)}, "
                f"found {values}: {mend}"
            )
            found.append(Finding("label-not-binary", severity, name, rows, message))
    if raw.clickless:
        left_out = f"{drop} (leaves the rows out) or " if raw.drop_keeps_all else ""
        mend = {
            "error": f"correct the labels, or {verb} with {left_out}{keep} (keeps the "
            "rows and records no conversion in them)",
            "drop": "those rows are left out",
            "keep": "those rows are kept, with conversion recorded as 0, since v must be 0 "
            "where c is 0",
        }[policy]
        message = (
            f"{split}: {share(raw.clickless, raw.rows)} have a conversion "
            f"({schema.conversion.column!r}) without a click ({schema.click.column!r}): {mend}"
        )
        severity = "error" if policy == "error" else "warning"
        code = "conversion-without-click"
        found.append(Finding(code, severity, schema.conversion.column, raw.clickless, message))
    return found


def _rule(examples: Sequence[str]) -> str:
    """A rule that fits what was found: "> 0", or one with a word that may mean 1."""
    words = [text.strip("'\"") for text in examples if text != "missing"]
    if not words or all(is_number(word) for word in words):
        return "> 0"
    yes = [word for word in words if word.strip().lower() in YES_WORDS]
    return f"== {(yes or words)[0].strip()}"


def _mend(label: Label, raw: LabelCounts, examples: Sequence[str]) -> str:
    if label.positive is not None:
        return "mend them, or write another rule for the label"
    ways = ["write 0 or 1 in every row"]
    ways += [
        f"say what counts as 1 in the schema (such as {{column: {label.column}, positive: "
        f"'{_rule(examples)}'}}; what is missing is then 0)"
    ]
    if raw.drop_keeps_all:
        ways += [f"leave those rows out with {option('on_bad_rows', 'drop')}"]
    return ", or ".join(ways)


def volume_findings(schema: LogSchema, split: str, funnel: Funnel) -> list[Finding]:
    """Is there enough of everything in a split to learn from, or to judge by?"""
    hard: Severity = "error" if split == "train" else "warning"
    mend = (
        "nothing can be learned from it: use more rows"
        if split == "train"
        else "only truth columns can judge a model by it: use more rows, or a log with truth"
    )
    if funnel.rows == 0:
        return [Finding("no-rows", "error", None, 0, f"{split}: no rows: give a log with rows")]
    found = []
    problems = (
        ("click", schema.click.column, funnel.clicks, FEW_CLICKS),
        ("conversion", schema.conversion.column, funnel.conversions, FEW_CONVERSIONS),
    )
    for word, column, count, few in problems:
        if count == 0:
            message = f"{split}: no {word} ({column!r}) in {counted(funnel.rows, 'row')}: {mend}"
            found.append(Finding(f"no-{word}s", hard, column, funnel.rows, message))
        elif count < few:
            message = (
                f"{split}: only {count:,} {word}s ({column!r}) in {counted(funnel.rows, 'row')}, "
                f"fewer than {few}: figures on it are mostly noise: use more rows"
            )
            found.append(Finding(f"few-{word}s", "warning", column, count, message))
    if 0 < funnel.clicks == funnel.conversions:
        message = (
            f"{split}: every one of {counted(funnel.clicks, 'click')} has a conversion "
            f"({schema.conversion.column!r}): there is no rate to learn or to judge: correct the "
            "labels, or the rule for them"
        )
        column = schema.conversion.column
        found.append(Finding("no-unconverted-clicks", hard, column, funnel.clicks, message))
    if funnel.clicks == funnel.rows:
        message = (
            f"{split}: every one of {counted(funnel.rows, 'row')} is clicked "
            f"({schema.click.column!r}): the entire space needs impressions without a click too"
        )
        found.append(Finding("no-unclicked-rows", hard, schema.click.column, funnel.rows, message))
    return found
