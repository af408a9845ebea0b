"""Findings on vectors, and what a column looks like that holds them."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from postclick.data.check.findings import Finding, share
from postclick.data.read.canonical import Issues
from postclick.data.read.lists import flatten
from postclick.data.read.vectors import GAPS, LENGTH, TEXT
from postclick.data.schema import LogSchema

LENGTHS_NAMED = 5


def vector_findings(
    schema: LogSchema, split: str, issues: Issues, rows: int, missing: Mapping[str, int]
) -> list[Finding]:
    """What was wrong with the vectors of one log.

    Args:
        rows: of the log.
        missing: rows of each vector column that have no vector, or one of another length.
    """
    found = []

    def find(code: str, column: str, count: int, text: str) -> None:
        severity = "warning" if code == "vector-gaps" else "error"
        message = f"{split}: column {column!r}: {text}"
        found.append(Finding(code, severity, column, count, message))  # type: ignore[arg-type]

    for vector in schema.vector:
        name, size = vector.name, vector.size
        lengths = {
            int(kind.removeprefix(LENGTH)): count
            for (kind, column), count in issues.rows.items()
            if column == name and kind.startswith(LENGTH)
        }
        if lengths:
            wrong = sum(lengths.values())
            common = sorted(lengths, key=lambda length: (-lengths[length], length))
            named = ", ".join(f"{k:,} in {lengths[k]:,}" for k in common[:LENGTHS_NAMED])
            named += ", ..." if len(common) > LENGTHS_NAMED else ""
            right = rows - missing.get(name, wrong)
            mend = f"mend those rows, or leave the vector empty in them (size is {size})"
            if lengths[common[0]] > right:
                mend = f"set size: {common[0]}"
                if len(common) > 1 or right:
                    mend += " and mend the others, or leave the vector empty in them"
            text = f"{share(wrong, rows)} hold another number of elements than {size} ({named}): "
            find("vector-length", name, wrong, text + mend)
        if count := issues.rows[TEXT, name]:
            such = ", ".join(issues.examples[TEXT, name])
            what = "separator and brackets" if vector.separator or vector.brackets else "elements"
            text = f"{count:,} values are no numbers (such as {such}): mend them, or correct {what}"
            find("unreadable-vector", name, count, text)
        if count := issues.rows[GAPS, name]:
            text = f"{share(count, rows)} have elements that are missing, NaN or infinite and count"
            as_what = " as their training mean" if vector.standardize else " as 0"
            find("vector-gaps", name, count, text + as_what)
    return found


def vector_size(column: pl.Series) -> int | None:
    """How long the vectors of a raw column are, None if it does not look like vectors.

    It does if it is of a fixed-size type of numbers, or holds lists of floats, all of one length
    of 2 or more, of which some are not whole. Lists must not have been cut before.

    >>> vector_size(pl.Series([[0.5, 1.0], None, [2.0, 0.25]]))
    2
    >>> vector_size(pl.Series([[7, 20], [8, 3]])), vector_size(pl.Series([[0.5], [1.5, 2.0]]))
    (None, None)
    """
    kind = column.dtype
    if isinstance(kind, pl.Array):
        return kind.size if kind.inner.is_numeric() and kind.size > 1 else None
    if not isinstance(kind, pl.List) or not kind.inner.is_float():
        return None
    values, offsets = flatten(column)
    lengths = np.diff(offsets)
    known = np.unique(lengths[lengths > 0])
    if len(known) != 1 or known[0] < 2:
        return None
    fractions = values.drop_nulls().to_numpy() % 1
    return int(known[0]) if bool((fractions > 0).any()) else None
