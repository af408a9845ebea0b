"""Findings on whole columns: missing, constant, the same twice, not there."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import Any

import polars as pl

from postclick.data.check.findings import Finding, share
from postclick.data.read.reader import LogReader
from postclick.data.schema import LogSchema
from postclick.spelling import counted
from postclick.suggest import meant

MOSTLY_MISSING = 0.95


class ColumnChecks:
    """Facts on the features and the exposure of one log, gathered from canonical frames."""

    def __init__(self, schema: LogSchema) -> None:
        self._bags = {f.name for f in schema.multi}
        self._lists = self._bags | {f.name for f in schema.vector}
        self._exposure = None if schema.exposure is None else schema.exposure.column
        exposure = () if self._exposure is None else (self._exposure,)
        self._names = (*schema.feature_names, *exposure)
        self.rows = 0
        self.missing: Counter[str] = Counter()
        # Column to the one value it has had so far; a column that varies is taken out.
        self.constant: dict[str, Any] = {}
        # Columns that have been equal so far, lists left out: all of them before the first row.
        self.equal = _several([set(self._names) - self._lists])

    def add(self, frame: pl.DataFrame) -> None:
        if frame.height == 0:
            return
        first = self.rows == 0
        self.rows += frame.height
        for name in self._names:
            column = frame[name]
            absent = column.list.len() == 0 if name in self._bags else None
            count = column.null_count() if absent is None else int(absent.sum())
            self.missing[name] += count
            if name in self._lists:
                continue
            if first:
                value = column[0]
                # -0.0 is 0.0, whichever comes first.
                self.constant[name] = value + 0.0 if isinstance(value, float) else value
            if name in self.constant and bool(column.ne_missing(self.constant[name]).any()):
                del self.constant[name]
        self.equal = _several(
            same for names in self.equal for same in _equal([frame[name] for name in names])
        )

    def merge(self, other: "ColumnChecks") -> None:
        self.equal = _several(a & b for a in self.equal for b in other.equal)
        if self.rows == 0 or other.rows == 0:
            full = self if other.rows == 0 else other
            self.constant = dict(full.constant)
        else:
            self.constant = {
                name: value
                for name, value in self.constant.items()
                if name in other.constant and other.constant[name] == value
            }
        self.rows += other.rows
        self.missing += other.missing

    def missing_share(self, name: str) -> float:
        return self.missing[name] / self.rows if self.rows else 0.0

    def train_findings(self) -> list[Finding]:
        """Constant columns and equal columns; only those of train matter."""
        found = []
        for name, value in self.constant.items():
            if value is not None and self.rows > 1:
                message = (
                    f"train: column {name!r} is {value!r} in all {counted(self.rows, 'row')} and "
                    f"teaches nothing: {self._mend(name)}"
                )
                found.append(Finding("constant-column", "warning", name, self.rows, message))
        pairs = {
            pair
            for names in self.equal
            for pair in combinations(sorted(names, key=self._names.index), 2)
        }
        for a, b in sorted(pairs):
            if self.rows and a not in self.constant:
                message = (
                    f"train: columns {a!r} and {b!r} are equal in all {counted(self.rows, 'row')}: "
                    "put one under ignore"
                )
                if b == self._exposure:
                    message = (
                        f"train: the exposure {b!r} is equal to {a!r} in all "
                        f"{counted(self.rows, 'row')}, so that pCVR reads it: put {a!r} under "
                        "ignore"
                    )
                found.append(Finding("duplicated-column", "warning", b, self.rows, message))
        return found

    def missing_findings(self, split: str, train: "ColumnChecks | None" = None) -> list[Finding]:
        """Columns that are almost empty, in valid and test only if they are not so in train."""
        found = []
        for name in self._names:
            known = train is not None and train.missing_share(name) >= MOSTLY_MISSING
            if self.missing_share(name) >= MOSTLY_MISSING and not known:
                rows = self.missing[name]
                but = "" if train is None else f", {train.missing_share(name):.1%} in train"
                message = (
                    f"{split}: column {name!r} is missing in {share(rows, self.rows)}{but}: "
                    f"mend the log, or {self._mend(name, 'put the column under ignore')}"
                )
                found.append(Finding("mostly-missing", "warning", name, rows, message))
        return found

    def _mend(self, name: str, of_feature: str = "put it under ignore") -> str:
        return "take exposure out of the schema" if name == self._exposure else of_feature


def _several(sets: Iterable[Collection[str]]) -> set[frozenset[str]]:
    """Those of two columns or more."""
    return {frozenset(names) for names in sets if len(names) > 1}


def _equal(columns: Sequence[pl.Series]) -> list[list[str]]:
    """The names of the columns, those that hold the same together."""
    sums: dict[tuple[str, int], list[list[pl.Series]]] = {}
    for column in columns:
        checksum = int(column.hash().reinterpret(signed=True).sum())
        alike = sums.setdefault((str(column.dtype), checksum), [])
        same = next((known for known in alike if bool(column.eq_missing(known[0]).all())), None)
        if same is None:
            alike.append([column])
        else:
            same.append(column)
    return [[column.name for column in same] for alike in sums.values() for same in alike]


def name_findings(schema: LogSchema, logs: Sequence[LogReader]) -> list[Finding]:
    """Columns that the schema names and a log lacks, and those it has beyond the schema."""
    found = []
    truth = schema.truth.columns()
    nowhere = [name for name in truth if not any(name in log.source.columns for log in logs)]
    for log in logs:
        split, source = log.split, log.source
        have = ", ".join(source.columns[:12]) + (", ..." if len(source.columns) > 12 else "")
        for name in (*log.canonical.missing, *nowhere):
            message = (
                f"{split}: no column {name!r}{meant(name, source.columns)}"
                f" in {source.name}; it has {have}: "
                "correct the schema or the log"
            )
            found.append(Finding("missing-column", "error", name, 0, message))
        known = {*schema.columns, *schema.ignore}
        extra = [name for name in source.columns if name not in known]
        if extra:
            names = ", ".join(map(repr, extra[:10])) + (", ..." if len(extra) > 10 else "")
            message = (
                f"{split}: {len(extra)} columns are not in the schema and not read ({names}): "
                "add them as features, or list them under ignore"
            )
            only = extra[0] if len(extra) == 1 else None
            found.append(Finding("extra-column", "info", only, 0, message))
        partial = [n for n in truth if n not in source.columns and n not in nowhere]
        for name in partial:
            message = f"{split}: no truth column {name!r}: it is judged without that truth"
            found.append(Finding("no-truth-column", "info", name, 0, message))
    return found
