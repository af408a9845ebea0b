"""Findings on the splits that are drawn from train: by which rule, and what was purged."""

from collections.abc import Mapping

from postclick.data.check.findings import Finding, Funnel
from postclick.data.read.splitting.boundaries import Boundaries
from postclick.data.read.splitting.draw import Draw
from postclick.data.read.splitting.durations import duration_text
from postclick.data.schema import LogSchema
from postclick.spelling import counted, option


def drawn_findings(schema: LogSchema, draw: Draw, rows: Mapping[str, int]) -> list[Finding]:
    """How the splits of a log were drawn, and that they overlap in time where they do."""
    if not draw.shares:
        return []
    names, count = " and ".join(draw.shares), sum(rows[name] for name in draw.shares)
    if draw.times is not None:
        starts = ", ".join(f"{name} from {draw.times.text(name)}" for name in draw.times.starts)
        message = f"{names}: drawn from train by time ({schema.time!r}): {starts} on"
        return [Finding("split-by-time", "info", schema.time, count, message)]
    found = []
    if draw.by_group:
        message = (
            f"{names}: drawn from train by group ({schema.group!r}): no group is in two splits"
        )
        found.append(Finding("split-by-group", "info", schema.group, count, message))
    if schema.time:
        how = "by group" if draw.by_group else "at random"
        message = (
            f"{names}: drawn from train {how}, not by time ({schema.time}): draw them with "
            f"{option('split_by', 'time')}, or give logs that are later than train"
        )
        found.append(Finding("time-overlap", "warning", schema.time, count, message))
    return found


def purge_findings(
    schema: LogSchema, times: Boundaries, purged: Mapping[str, Funnel]
) -> list[Finding]:
    """The rows left out shortly before a split that is drawn by time.

    Args:
        purged: what was left out of train and of valid.
    """
    found = []
    if times.purge:
        for split, following in zip(("train", *times.starts), times.starts, strict=False):
            funnel = purged[split]
            message = (
                f"{split}: {counted(funnel.rows, 'row')} ({counted(funnel.clicks, 'click')}) left "
                f"out, those of the {duration_text(times.purge)} before {following} begins "
                f"({times.text(following)})"
            )
            found.append(Finding("purged", "info", schema.time, funnel.rows, message))
    return found
