"""What stands at the end of the page: how intervals were made, columns, and versions."""

from __future__ import annotations

import platform
from importlib.metadata import version

from postclick.judgements.page.table import Cell, Column, Table, named
from postclick.judging.predicted.result import JudgedLog
from postclick.version import __version__

# What figures depend on.
PACKAGES = ("numpy", "polars", "pyarrow")
ROLES = {
    "click": "1 where the impression was clicked",
    "conversion": "1 where a conversion was recorded",
    "group": "rows that belong together: intervals are over groups",
    "weight": "how many impressions a row stands for",
    "time": "when the impression was shown",
    "exposure": "what moves clicks but not conversions",
    "propensity": "the probability of a click, logged",
    "true_cvr": "known truth: the probability to convert, if clicked",
    "potential_conversion": "known truth: what would have happened, if clicked",
    "randomised": "the probability with which the impression was drawn at random, else 0",
    "by": "judged value by value",
    "features": "read by the propensity and the placebo",
}


def interval_remarks(judged: JudgedLog) -> list[str]:
    """How intervals, differences and p-values were found."""
    units = f"{judged.units:,} {'independent units' if judged.unit == 'group' else 'units'}"
    column = judged.roles.get("group")
    over = f"groups of rows that share {column}" if column else "groups of rows"
    if judged.unit != "group":
        over = "rows, which are taken as independent"
    found = [
        f"Intervals are of {100 * judged.level:g} % and over {over}, in {units} of resampling. "
        "Those of an AUC are by DeLong's formula, with the rows of a unit taken together; all "
        "others are percentiles of a bootstrap of units.",
    ]
    if len(judged.models) > 1:
        found.append(
            "Differences are paired: both models on the same rows, and the same resamples. p is "
            "two-sided; Holm's correction is over the models that are compared with the same one. "
            f"A star says that a gain is above 0 by a corrected p below {1 - judged.level:.2g}. "
            "What could be seen is the true gain that these rows would show in four cases of five."
        )
    if judged.segments:
        found.append(
            "Intervals of segments and buckets stand each for itself: of many that are right, some "
            "will seem off."
        )
    return found


def role_table(judged: JudgedLog) -> Table | None:
    """Which column was read as what; None where that is not known."""
    columns = (
        Column("role", numeric=False),
        Column("column", numeric=False),
        Column("what it says", numeric=False),
    )
    rows = []
    for role, column in judged.roles.items():
        name = role.partition(" ")[0]
        rows.append((Cell(name), named(column), Cell(ROLES.get(name, ""))))
    return Table("Columns of the log", columns, tuple(rows)) if rows else None


def versions() -> str:
    """Of Python, of this package, and of what figures depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()}, postclick {__version__}, {packages}"
