"""Findings on the group column: how many groups, and can metrics within groups be computed?"""

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from postclick.data.check.findings import Finding, Severity, share
from postclick.data.check.splits.overlap import KeySketch
from postclick.data.read.values.group_hash import MISSING
from postclick.spelling import counted, option


class GroupCounts:
    """Rows of each group of one split; with millions of groups a fixed part of them is followed.

    Attributes:
        rows: rows taken in.
        missing: those of them without a group.

    >>> counts = GroupCounts()
    >>> counts.add(np.array([5, 0, 5, -9]))
    >>> counts.missing, counts.groups(), counts.largest()
    (1, 2, 2)
    """

    def __init__(self) -> None:
        self.rows = 0
        self.missing = 0
        self._sketch = KeySketch()

    def add(self, hashes: npt.NDArray[np.int64]) -> None:
        """Take in the groups' hashes, row by row."""
        known = hashes[hashes != MISSING]
        self.rows += len(hashes)
        self.missing += len(hashes) - len(known)
        self._sketch.add(known.view(np.uint64))

    def rows_in(self, other: "GroupCounts") -> tuple[int, float]:
        """Rows whose group the other split has too, and the part of groups that is followed."""
        return self._sketch.rows_in(other._sketch)

    def merge(self, other: "GroupCounts") -> None:
        """Take in the counts of other rows of the split."""
        self.rows += other.rows
        self.missing += other.missing
        self._sketch.merge(other._sketch)

    def groups(self) -> int:
        """Number of groups; about, where not all are followed."""
        counts, followed = self._sketch.counts()
        return round(len(counts) / followed)

    def largest(self) -> int:
        """Rows of the largest group that is followed, 0 without groups."""
        return int(self._sketch.counts()[0].max(initial=0))


def group_findings(column: str, split: str, counts: GroupCounts) -> list[Finding]:
    """What `column`, the group, is like in one split."""
    if counts.rows == 0:
        return []
    found = []
    known, groups = counts.rows - counts.missing, counts.groups()

    def find(code: str, rows: int, text: str) -> None:
        severity: Severity = "info" if code == "groups" else "warning"
        found.append(Finding(code, severity, column, rows, f"{split}: {text}"))

    name_another = "name a column of users or requests under group"
    if counts.missing:
        text = f"{share(counts.missing, counts.rows)} have no group ({column!r}): fill them in, or "
        find("missing-group", counts.missing, text + "metrics within groups leave them out")
    if groups == 1 and not counts.missing:
        text = (
            f"group {column!r} is the same in all {counted(known, 'row')}, so that a metric within "
        )
        find("constant-group", known, text + f"groups is the plain one: {name_another}")
    elif groups and counts.largest() == 1:
        text = (
            f"group {column!r} has a value of its own in each of {counted(known, 'row')}, so that "
        )
        find("single-row-groups", known, text + f"metrics within groups are empty: {name_another}")
    if groups:
        each = f"{known / groups:.3g} rows in each on average"
        text = f"{counted(groups, 'group')} by {column!r}, {each}"
        find("groups", known, text)
    return found


def shared_findings(
    column: str, counts: Mapping[str, GroupCounts], rows: Mapping[str, int], drawn: Collection[str]
) -> list[Finding]:
    """Rows of valid and test whose group is in train too; `drawn` are drawn from train."""
    found = []
    for name, later in counts.items():
        shared, followed = later.rows_in(counts["train"])
        if name == "train" or not shared:
            continue
        about = "" if followed == 1 else f" (estimated from {followed:.3%} of all groups)"
        new = option("split_by", "group") if name in drawn else "a log of other groups"
        message = (
            f"{name}: {share(shared, rows[name])} are of groups ({column!r}) that train has "
            f"too{about}: right where known ones return; to judge on new ones, use {new}"
        )
        found.append(Finding("group-overlap", "info", column, shared, message))
    return found
