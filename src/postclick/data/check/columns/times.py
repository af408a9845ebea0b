"""Findings on the time column: kinds that are mixed, and rows that have no time to split by."""

from collections import Counter
from collections.abc import Mapping

from postclick.data.check.columns.labels import BadRows
from postclick.data.check.findings import CheckReport, Finding, Severity, in_order, share
from postclick.data.read.canonical import Issues
from postclick.data.read.splitting.time_counts import TimeCounts, TimeKinds
from postclick.data.read.values.bad_values import UNREADABLE_TIME
from postclick.spelling import option


def mixed_findings(
    column: str, kinds: Mapping[str, TimeKinds], severity: Severity = "warning"
) -> list[Finding]:
    """One finding if the times of the logs are not all of one kind.

    >>> import polars as pl
    >>> from postclick.data.read.values.times import to_time
    >>> kinds = TimeKinds()
    >>> kinds.add(to_time(pl.Series(["2026-01-05", "1700000000", "1700000001"])).kind)
    >>> mixed_findings("ts", {"train": kinds})[0].message[:60]
    "times ('ts') are of 2 kinds: train 2 epoch seconds, 1 dates;"
    """
    every: Counter[str] = Counter()
    for one in kinds.values():
        every.update(one.present())
    if len(every) < 2:
        return []
    where = "; ".join(
        f"{split} " + ", ".join(f"{rows:,} {kind}" for kind, rows in one.present().items())
        for split, one in kinds.items()
        if one.present()
    )
    compared = (
        "ordinals, numbers of no known unit, cannot be compared with the others"
        if "ordinals" in every
        else "they are compared as moments in UTC, which is right only if all are what they seem"
    )
    message = f"times ({column!r}) are of {len(every)} kinds: {where}; {compared}: write one kind"
    odd = every.total() - max(every.values())
    return [Finding("mixed-times", severity, column, odd, message)]


def untimed_findings(
    column: str, untimed: int, rows: int, issues: Issues, policy: BadRows
) -> list[Finding]:
    """Rows of train that cannot be split by time, because they have none that can be read."""
    such = ", ".join(issues.examples.get((UNREADABLE_TIME, column), ()))
    such = f", such as {such}," if such else ""
    drop = option("on_bad_rows", "drop")
    dropped = policy == "drop" and untimed < rows
    mend = (
        "those rows are left out"
        if dropped
        else "write ISO 8601 dates or epochs"
        + (f", or leave those rows out with {drop}" if untimed < rows else "")
    )
    message = (
        f"train: {share(untimed, rows)} have no time{such} that can be read ({column!r}), and the "
        f"log is split by it: {mend}"
    )
    severity: Severity = "warning" if dropped else "error"
    return [Finding("row-without-time", severity, column, untimed, message)]


def require_times(column: str, counts: TimeCounts, policy: BadRows) -> None:
    """Make sure that train can be split by these times.

    Raises:
        InputError: they are of several kinds, or rows have none and `policy` does not drop them.
    """
    issues = Issues()
    issues.add(UNREADABLE_TIME, column, counts.unreadable)
    found = mixed_findings(column, {"train": counts.kinds}, "error")
    if counts.untimed:
        rows = counts.timed + counts.untimed
        found += untimed_findings(column, counts.untimed, rows, issues, policy)
    CheckReport(in_order(found), {}).raise_errors()
