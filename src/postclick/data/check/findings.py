"""What is wrong or odd in a log, one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from postclick.errors import InputError
from postclick.spelling import counted

Severity = Literal["error", "warning", "info"]
_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or odd.

    Attributes:
        code: a fixed name, such as "conversion-without-click".
        severity: with an "error" results would be wrong, and `prepare` refuses the log.
        column: the column concerned, if it is one.
        rows: how many rows are concerned, or 0 where it is not about rows.
        message: one line: split, column, counts, and the mend.
    """

    code: str
    severity: Severity
    column: str | None
    rows: int
    message: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Funnel:
    """Counts of one split."""

    rows: int
    clicks: int
    conversions: int

    @property
    def ctr(self) -> float:
        """Clicks per impression; 0 for an empty split."""
        return self.clicks / self.rows if self.rows else 0.0

    @property
    def cvr(self) -> float:
        """Conversions per click; 0 without clicks."""
        return self.conversions / self.clicks if self.clicks else 0.0


@dataclass(frozen=True)
class CheckReport:
    """All findings, errors first, and the funnel of each split."""

    findings: tuple[Finding, ...]
    funnel: Mapping[str, Funnel]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error")

    def raise_errors(self) -> None:
        """Raise `InputError` with the first error and the number of others."""
        errors = self.errors
        if errors:
            more = f" (and {len(errors) - 1} more: " if len(errors) > 1 else ""
            more += ", ".join(dict.fromkeys(_name(e) for e in errors[1:])) + ")" if more else ""
            raise InputError(errors[0].message + more)

    def to_dict(self) -> dict[str, Any]:
        """Findings and funnels as plain data."""
        return {
            "findings": [f.to_dict() for f in self.findings],
            "funnel": {name: asdict(funnel) for name, funnel in self.funnel.items()},
        }

    def lines(self) -> list[str]:
        """The report for a reader: the funnel of each split, then one line per finding."""
        funnels = [
            f"{name}: {counted(f.rows, 'impression')}, {counted(f.clicks, 'click')} (CTR "
            f"{f.ctr:.4f}), {counted(f.conversions, 'conversion')} (CVR {f.cvr:.4f})"
            for name, f in self.funnel.items()
        ]
        findings = [f"{f.severity}: {f.message}" for f in self.findings]
        return funnels + (findings or ["no findings"])


def _name(finding: Finding) -> str:
    return f"{finding.code} {finding.column!r}" if finding.column else finding.code


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then the rest, each in the order found."""
    return tuple(sorted(findings, key=lambda f: _ORDER[f.severity]))


def share(rows: int, of: int) -> str:
    """A count as "12 of 3,400 rows (0.353 %)"."""
    percent = f" ({100 * rows / of:.3g} %)" if of else ""
    return f"{rows:,} of {counted(of, 'row')}{percent}"
