"""Findings on numbers that lie far outside all others of their column."""

from collections.abc import Mapping

from postclick.data.check.findings import Finding, share
from postclick.data.numbers.summary import ExtremeValues, NumberSummary

NAMED = 3  # values that a finding names


def extreme_findings(numbers: Mapping[str, NumberSummary]) -> list[Finding]:
    """One for each numeric column, by name, that has extreme values among its training rows.

    >>> import numpy as np
    >>> age = NumberSummary()
    >>> values = np.append(np.arange(18.0, 80.0), [-999.0] * 9)
    >>> age.add(values, np.arange(71, dtype=np.uint64))
    >>> extreme_findings({"age": age})[0].message[:50]
    "train: column 'age': in 9 of 71 rows (12.7 %) the "
    """
    found = []
    for name, summary in numbers.items():
        extremes = summary.result()[1]
        if extremes is not None:
            message = f"train: column {name!r}: {_describe(extremes, summary.moments.count)}"
            found.append(Finding("extreme-values", "warning", name, extremes.rows, message))
    return found


def _describe(found: ExtremeValues, of: int) -> str:
    about = "" if found.exact else "about "
    named = [
        f"{as_written(value)} in {about}{rows:,}" if rows else as_written(value)
        for value, rows in found.counts[:NAMED]
    ]
    more = len(found.counts) - len(named)
    named += [f"{more:,} more"] if more else []
    where = f"in {about}{share(found.rows, of)}" if found.rows else "in a few rows"
    # A sentinel comes again and again; a slip of the pen does not.
    sentinels = [as_written(value) for value, rows in found.counts[:NAMED] if rows > 1]
    listed = ", ".join(f'"{text}"' for text in sentinels)
    mend = f"if that means no value, write missing: [{listed}] in the schema, " if listed else ""
    return (
        f"{where} the number is so far outside all others ({found.low:.6g} to {found.high:.6g}) "
        f"that it would set the scale alone: {', '.join(named)}; such numbers are left out of mean "
        f"and deviation and count as the end of the range: {mend}{'else ' if mend else ''}mend "
        "them, or use transform: quantile"
    )


def as_written(value: float) -> str:
    """A number as a log has it.

    >>> as_written(-999999999.0), as_written(1e200), as_written(2.5)
    ('-999999999', '1e+200', '2.5')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
