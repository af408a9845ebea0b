"""What a reader should know of a judged log, one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postclick.judging.predicted.agreement import Agreement
from postclick.judging.predicted.compared import LEAST
from postclick.judging.predicted.result import JudgedLog
from postclick.spelling import counted, option

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
        f"{counted(judged.rows, 'row stands', 'rows stand')} for {weight:,.0f} impressions by "
        f"{column!r}: rows, clicks and conversions are counted as recorded; rates, PCOC, NLL and "
        "AUC are by weight"
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


def disagreeing(agreement: Mapping[str, Agreement]) -> list[str]:
    """Models whose pCTCVR is not the product of pCTR and pCVR, and how far from it."""
    told = [
        f"of {name} on {counted(one.differ, 'row')} of {one.rows:,} "
        f"({percent(one.differ, one.rows)}, by up to {one.largest:.2g})"
        for name, one in agreement.items()
        if one.differ
    ]
    if not told:
        return []
    return [
        f"pCTCVR differs from pCTR x pCVR {', '.join(told)}: each of the three is judged as it was "
        "given"
    ]


def groupless(column: str | None, rows: int, of: int) -> list[str]:
    """Rows whose group is missing, and what becomes of them."""
    if not rows:
        return []
    return [
        f"{column!r} is missing on {counted(rows, 'row')} of {of:,} ({percent(rows, of)}): each is "
        "a group of its own for intervals, and in none for GAUC"
    ]


def baseline(models: Sequence[str], against: str | None) -> list[str]:
    """Which model the others are compared with, where nobody said so."""
    if against is not None or len(models) < 2:
        return []
    return [f"compared with {models[0]!r} (the first; another with {option('against')})"]


def percent(part: int, of: int) -> str:
    """A share in percent, to two digits that count.

    >>> percent(1, 1), percent(1, 3), percent(1, 20000)
    ('100 %', '33 %', '0.005 %')
    """
    many = 100 * part / of
    return f"{many:.0f} %" if many >= 9.5 else f"{many:.2g} %"
