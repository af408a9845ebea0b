"""The one reading pass of `prepare`: check, draw splits, fit on train, spill coded rows."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.check.check_log import LogChecks, Progress, canonical_chunks
from postclick.data.check.findings import CheckReport, Finding, Funnel, in_order, share
from postclick.data.check.labels import LabelCounts
from postclick.data.encode.fitting import FeatureFitter, Fitted
from postclick.data.manifest import CLICK, CONVERSION, SPLITS
from postclick.data.read.canonical import KEY, TIME, Canonicalizer
from postclick.data.read.opening import LogSource
from postclick.data.read.row_numbers import DRAW, BadRows, hashes_of, sampled, uniform
from postclick.data.schema import LogSchema
from postclick.data.write.shuffle import Spill
from postclick.errors import InputError

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ingested:
    """A log that was read: its report without errors, what was fitted, and its coded rows.

    Attributes:
        truth: prepared names of the truth columns that each split has values of.
    """

    report: CheckReport
    fitted: Fitted
    spills: dict[str, Spill]
    truth: dict[str, tuple[str, ...]]


def ingest(
    schema: LogSchema,
    sources: Mapping[str, LogSource],
    shares: Mapping[str, float],
    folder: Path,
    *,
    seed: int,
    on_bad_rows: BadRows,
    negative_rate: float = 1.0,
    progress: Progress,
) -> Ingested:
    """Read `sources` (train first) once and spill their rows into `folder`.

    Args:
        shares: splits to be drawn from train, with the share of its rows each gets.
        negative_rate: share of the unclicked rows of the training split that is kept; nothing
            is fitted on the others.

    Raises:
        InputError: a check found an error.
    """
    folder.mkdir(parents=True)
    checks = LogChecks(schema, on_bad_rows, seed)
    fitter = FeatureFitter(schema, seed)
    names = [name for name in SPLITS if name in sources or name in shares]
    spills = {name: Spill(folder / name) for name in names}
    truth: dict[str, tuple[str, ...]] = {}
    before = LabelCounts()  # the training split, left-out rows included
    done = 0
    with ExitStack() as stack:
        for spill in spills.values():
            stack.callback(spill.close)
        for source, log in sources.items():
            drawn = shares if source == "train" else {}
            checks.begin(source, [source, *drawn])
            for frame in canonical_chunks(schema, source, log, checks):
                masks = draw(frame, source, drawn, seed)
                judged = frame.select(CLICK, CONVERSION, *(c for c in (KEY, TIME) if c in frame))
                counted = np.zeros(frame.height, dtype=np.bool_)
                if source == "train":
                    before.add(_part(judged, masks[source]))
                    masks[source] &= sampled(frame, negative_rate, seed)
                    counted = masks[source]
                checks.add(source, frame, {k: _part(judged, mask) for k, mask in masks.items()})
                coded = fitter.add(frame, counted).drop(KEY, TIME, strict=False)
                for name, mask in masks.items():
                    spills[name].add(_part(coded, mask))
                done += frame.height
                progress("read", done, None)
            has, empty = Canonicalizer(schema, log.columns).truth, checks.empty_truth(source)
            for name in (source, *drawn):
                truth[name] = tuple(column for column in has if column not in empty)
    report = checks.report()
    if negative_rate < 1:
        _some_left(before.funnel(), report.funnel["train"], negative_rate)
    report.raise_errors()
    if negative_rate < 1:
        told = _sampling(before.funnel(), report.funnel["train"], negative_rate)
        report = CheckReport(in_order([*report.findings, told]), report.funnel)
    return Ingested(report, fitter.result(), spills, truth)


def draw(
    frame: pl.DataFrame, source: str, shares: Mapping[str, float], seed: int
) -> dict[str, Mask]:
    """Bool [n] for each split: which rows belong to it; the rest stays with `source`."""
    if not shares:
        return {source: np.ones(frame.height, dtype=np.bool_)}
    chance = uniform(hashes_of(frame, seed, DRAW))
    masks: dict[str, Mask] = {}
    low = 0.0
    for name, part in shares.items():
        masks[name] = (chance >= low) & (chance < low + part)
        low += part
    return {source: chance >= low, **masks}


def _some_left(before: Funnel, after: Funnel, rate: float) -> None:
    """That all rows are clicked is then no fault of the log."""
    unclicked = before.rows - before.clicks
    if unclicked and after.rows == after.clicks:
        raise InputError(
            f"negative_rate {rate:g} left none of {unclicked:,} training rows without a click: "
            "give a higher one"
        )


def _sampling(before: Funnel, after: Funnel, rate: float) -> Finding:
    """What down-sampling left out of the training split, and what it was before."""
    unclicked = before.rows - before.clicks
    message = (
        f"train: {share(after.rows - after.clicks, unclicked)} without a click were kept "
        f"(negative rate {rate:g}); before, it had {before.rows:,} rows and a CTR of "
        f"{before.ctr:.4f}, now {after.rows:,} and {after.ctr:.4f}; predictions are corrected to "
        "the log as it was"
    )
    return Finding("negatives-sampled", "info", None, before.rows - after.rows, message)


def _part(frame: pl.DataFrame, mask: Mask) -> pl.DataFrame:
    return frame if mask.all() else frame.filter(pl.Series(mask))
