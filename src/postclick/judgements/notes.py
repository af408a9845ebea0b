"""What a reader should know of a judged log, one sentence each."""

from __future__ import annotations

from collections.abc import Mapping

from postclick.judging.predicted.compared import LEAST
from postclick.judging.predicted.result import JudgedLog
from postclick.spelling import counted

# Intervals over fewer groups hold less often than they say.
FEW_GROUPS = 60
_CALLED = {"pcvr": "pCVR", "pctcvr": "pCTCVR"}


def infinite(judged: JudgedLog) -> list[str]:
    """Models whose NLL is infinite, and what to do about it."""
    names = dict.fromkeys(
        one.model for one in judged.figures if (one.undefined or "").startswith("infinite")
    )
    return [
        f"{name} predicts exactly 0 or 1 where it is wrong, so that its NLL is infinite: keep "
        "predictions between 1e-7 and 1 - 1e-7"
        for name in names
    ]


def few_groups(judged: JudgedLog) -> list[str]:
    """Too few groups for intervals, or so few that these are too narrow."""
    if judged.unit != "group" or judged.units >= FEW_GROUPS:
        return []
    told = "none are given" if judged.units < LEAST else "they are too narrow"
    return [f"intervals over {counted(judged.units, 'group')}: {told} below {FEW_GROUPS} of them"]


def weights(column: str | None, judged: JudgedLog, weight: float) -> list[str]:
    """Which counts are of rows, and which of the impressions that they stand for."""
    if column is None:
        return []
    return [
        f"{counted(judged.rows, 'row')} stand for {weight:,.0f} impressions by {column!r}: rows, "
        "clicks and conversions are counted as recorded; rates, PCOC, NLL and AUC are by weight"
    ]


def lacking(rows: Mapping[tuple[str, str], int], unclicked: int) -> list[str]:
    """Predictions that are missing where nobody clicked, and what is not judged for that.

    Args:
        rows: without a click that lack it, by model and kind of prediction.
        unclicked: rows without a click.

    >>> lacking({("a", "pcvr"): 1200}, 1500)[0][:66]
    'missing on impressions without a click: pCVR of a on 1,200 of 1,50'
    """
    if not rows:
        return []
    told = ", ".join(
        f"{_CALLED[kind]} of {name} on {count:,} of {unclicked:,}"
        for (name, kind), count in rows.items()
    )
    return [
        f"missing on impressions without a click: {told}; figures over all impressions that need "
        "it are left out, those on clicked ones are not"
    ]
