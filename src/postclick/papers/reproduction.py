"""What a reproduction found, before it is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.papers.claims import Finding, judge
from postclick.papers.experiment import Experiment
from postclick.papers.judged import SPLIT, JudgedRun, Measurement
from postclick.papers.panels import Panel
from postclick.papers.paper_table import reported_by_arm
from postclick.papers.protocol import Used
from postclick.papers.results import Results
from postclick.runs.run import Run


@dataclass(frozen=True)
class LogFacts:
    """The log that was measured on."""

    folder: str
    train: dict[str, int]
    test: dict[str, int]
    fingerprint: str

    @classmethod
    def of(cls, log: PreparedLog) -> "LogFacts":
        def counts(name: str) -> dict[str, int]:
            split = log.split(name)
            return {"rows": split.rows, "clicks": split.clicks, "conversions": split.conversions}

        return cls(log.folder.resolve().name, counts("train"), counts(SPLIT), log.fingerprint)


@dataclass(frozen=True)
class Cost:
    """Training of an arm, mean over its runs; one thread a run, as many runs side by side as there
    were workers.

    Attributes:
        passes: over the training rows, preparing phases included.
        rows_per_second: impressions.
        minutes_per_million: minutes of one run for each million training rows, all passes.
    """

    arm: str
    passes: float
    rows_per_second: float
    minutes_per_million: float


@dataclass(frozen=True)
class Reproduction:
    """A table or figure of a paper, measured on one log.

    Attributes:
        experiment: what was run.
        folder: where `<name>.md`, `<name>.json`, for figures `<name>.html`, and the runs are.
        log, seeds: on what.
        overrides: settings that were given on top of the paper's.
        settings: every setting and who states it.
        results: measured values by column, arm and seed.
        findings: each claim of the paper with its verdict.
        panels: the curves or bars of a figure.
        costs: what training took.
        warning: why the numbers say little, if they do.
    """

    experiment: Experiment
    folder: Path
    log: LogFacts
    seeds: int
    overrides: tuple[str, ...]
    settings: tuple[Used, ...]
    results: Results
    findings: tuple[Finding, ...]
    panels: tuple[Panel, ...]
    costs: tuple[Cost, ...]
    warning: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """What was written."""
        kinds = ("md", "json", "html") if self.experiment.panels else ("md", "json")
        return tuple(self.folder / f"{self.experiment.name}.{kind}" for kind in kinds)

    def finding(self, text: str) -> Finding:
        """The finding of the claim whose text contains `text`."""
        return next(f for f in self.findings if text in f.claim.text)


def measure(experiment: Experiment, runs: Sequence[JudgedRun]) -> Results:
    """Every column in every run; an arm with a seed that has no value is undefined."""
    values: dict[str, dict[str, tuple[float, ...]]] = {c.key: {} for c in experiment.columns}
    undefined: dict[str, dict[str, str]] = {c.key: {} for c in experiment.columns}
    for arm in experiment.arms:
        mine = [run for run in runs if run.arm == arm.label]
        for column in experiment.columns:
            found: list[Measurement] = [column.measure(run) for run in mine]
            known = [m.value for m in found if m.value is not None]
            if found and len(known) == len(found):
                values[column.key][arm.label] = tuple(known)
            else:
                reason = next((m.undefined for m in found if m.undefined), "no runs")
                undefined[column.key][arm.label] = reason
    return Results(values, undefined)


def findings(experiment: Experiment, results: Results) -> tuple[Finding, ...]:
    """Every claim tested."""
    return tuple(
        judge(claim, results, column.scale, reported_by_arm(experiment, column))
        for claim in experiment.claims
        for column in [experiment.column(claim.column)]
    )


def costs(experiment: Experiment, runs: Sequence[JudgedRun]) -> tuple[Cost, ...]:
    """What training took, from the runs' own records."""
    found = []
    for arm in experiment.arms:
        histories = [Run(run.folder).history for run in runs if run.arm == arm.label]
        records: list[dict[str, Any]] = [record for history in histories for record in history]
        seconds = sum(1 / max(record["rows_per_second"], 1) for record in records)
        passes = len(records) / len(histories)
        minutes = 1e6 * seconds / len(histories) / 60
        found.append(Cost(arm.label, passes, len(records) / seconds, minutes))
    return tuple(found)
