"""Findings on vectors: their lengths, elements that are missing, text that is none."""

from collections.abc import Mapping

from postclick.data.check.findings import Finding, share
from postclick.data.read.canonical import Issues
from postclick.data.read.values.vectors import GAPS, LENGTH, TEXT
from postclick.data.schema import LogSchema
from postclick.spelling import counted

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
            text = counted(count, "value is no number", "values are no numbers")
            text += f" (such as {such}): mend them, or correct {what}"
            find("unreadable-vector", name, count, text)
        if count := issues.rows[GAPS, name]:
            text = f"{share(count, rows)} have elements that are missing, NaN or infinite and count"
            as_what = " as their training mean" if vector.standardize else " as 0"
            find("vector-gaps", name, count, text + as_what)
    return found
