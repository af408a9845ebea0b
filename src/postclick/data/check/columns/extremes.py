"""Findings on numbers that lie far outside all others of their column."""

from collections.abc import Mapping

from postclick.data.check.findings import Finding, share
from postclick.data.numbers.summary import ExtremeValues, NumberSummary
from postclick.data.numbers.vector_summary import ExtremeElements, VectorSummary

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


def extreme_vector_findings(vectors: Mapping[str, VectorSummary]) -> list[Finding]:
    """One for each column of vectors, by name, that has extreme elements in training rows.

    >>> import numpy as np, polars as pl
    >>> image, rows = VectorSummary(2), np.random.default_rng(0).normal(size=(70, 2))
    >>> rows[:7, 1] = -999
    >>> image.add(pl.Series(rows.tolist()), np.arange(70, dtype=np.uint64))
    >>> extreme_vector_findings({"image": image})[0].message[:61]
    "train: column 'image': in 7 of 70 rows (10 %) the vector has "
    """
    found = []
    for name, summary in vectors.items():
        extremes = summary.result()[1]
        if extremes is not None:
            of = summary.rows + summary.missing
            message = f"train: column {name!r}: {_describe_elements(extremes, of, summary.size)}"
            found.append(Finding("extreme-values", "warning", name, extremes.rows, message))
    return found


def _describe(found: ExtremeValues, of: int) -> str:
    return (
        f"{_where(found, of)} the number is so far outside all others ({found.low:.6g} to "
        f"{found.high:.6g}) that it would set the scale alone: {_named(found)}; such numbers are "
        "left out of mean and deviation and count as the end of the range: "
        f"{_mend(found)}, or use transform: quantile"
    )


def _describe_elements(found: ExtremeElements, of: int, size: int) -> str:
    return (
        f"{_where(found, of)} the vector has elements so far outside all others of their place "
        f"that they would set its scale alone, in {found.places:,} of {size:,} places: "
        f"{_named(found)}; such elements are left out of mean and deviation and count as "
        f"the end of the range: {_mend(found)}"
    )


def _where(found: ExtremeValues | ExtremeElements, of: int) -> str:
    about = "" if found.exact else "about "
    return f"in {about}{share(found.rows, of)}" if found.rows else "in a few rows"


def _named(found: ExtremeValues | ExtremeElements) -> str:
    about = "" if found.exact else "about "
    named = [
        f"{as_written(value)} in {about}{rows:,}" if rows else as_written(value)
        for value, rows in found.counts[:NAMED]
    ]
    more = len(found.counts) - len(named)
    return ", ".join([*named, f"{more:,} more"] if more else named)


def _mend(found: ExtremeValues | ExtremeElements) -> str:
    # A sentinel comes again and again; a slip of the pen does not.
    sentinels = [as_written(value) for value, rows in found.counts[:NAMED] if rows > 1]
    listed = ", ".join(f'"{text}"' for text in sentinels)
    mend = f"if that means no value, write missing: [{listed}] in the schema, " if listed else ""
    return f"{mend}{'else ' if mend else ''}mend them"


def as_written(value: float) -> str:
    """A number as a log has it.

    >>> as_written(-999999999.0), as_written(1e200), as_written(2.5)
    ('-999999999', '1e+200', '2.5')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
