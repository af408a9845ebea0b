"""A comparison's folder as the report reads it: the one place that knows its files."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from postclick.data.manifest import Manifest
from postclick.errors import InputError
from postclick.experiments.comparison.diagnostics import DIAGNOSTICS, FORMAT
from postclick.experiments.comparison.plan import PLAN
from postclick.experiments.comparison.recommendation import Recommendation
from postclick.experiments.comparison.results import RESULTS, SUMMARY
from postclick.experiments.comparison.summary import (
    Gain,
    OverSeeds,
    Perfect,
    Row,
    RowTest,
    Summary,
)
from postclick.methods.explanation import AnyExplanation, read_explanation
from postclick.metrics.catalogue import figure_named
from postclick.runs.calibration_study import read_study
from postclick.runs.folder import CONFIG, EXPLANATION, METRICS, RUN_INFO
from postclick.runs.history import HISTORY, History
from postclick.system.files import read_json

# The first of these that a comparison has is the one that its answer rests on.
PROTOCOLS = {"tuned": "Tuned on validation", "fixed": "Same training length for all"}


@dataclass(frozen=True)
class RunFiles:
    """What a run left beside its weights; each file is read when it is asked for."""

    folder: Path

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        return History(self.folder / HISTORY).records()

    @property
    def config(self) -> str:
        try:
            return (self.folder / CONFIG).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.folder / CONFIG} cannot be read: {error}") from None

    @property
    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = read_json(self.folder / RUN_INFO)
        return found

    @property
    def explanation(self) -> AnyExplanation | None:
        """What the method says of itself; None if it has nothing to say."""
        path = self.folder / EXPLANATION
        return read_explanation(read_json(path)) if path.exists() else None

    def propensity(self, split: str) -> dict[str, float]:
        """Held-out means that are 1 for right propensities; empty for methods without."""
        found: dict[str, float] = read_json(self.folder / METRICS)[split].get("propensity", {})
        return found

    def segments(self, split: str) -> dict[str, Any]:
        """Metrics per value by feature; empty if none was asked for."""
        found: dict[str, Any] = read_json(self.folder / METRICS)[split].get("by", {})
        return found


@dataclass(frozen=True)
class Part:
    """One protocol of a comparison: its summary, results, curves, and first seed's runs.

    Attributes:
        studies: of calibration, by method and seed; without methods of which a seed has none, as
            in comparisons that were made before there were any.
        segments: metrics per value of features, as in metrics.json, by method and seed; empty
            where not every run has them.
        intervals: of figures over test impressions; `None` in comparisons of earlier versions.
    """

    name: str
    summary: Summary
    results: pl.DataFrame
    curves: dict[str, Any]
    differences: dict[str, Any]
    runs: dict[str, RunFiles]
    studies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    segments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    intervals: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        return PROTOCOLS[self.name]

    @property
    def features(self) -> list[str]:
        """The features by whose values every run was judged, and by the same ones."""
        every = [by for seeds in self.segments.values() for by in seeds]
        if not every:
            return []
        return [
            name
            for name in every[0]
            if all(name in by and _values(by[name]) == _values(every[0][name]) for by in every)
        ]


def _values(feature: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["value"], one["rows"]) for one in feature["segments"]]


@dataclass(frozen=True)
class ComparisonFolder:
    """Everything of a comparison that its report shows; the main protocol comes first.

    Attributes:
        settings: of each arm with the same training length for all, without the seed.
        trials: settings tried per method, 0 without tuning.
        answer: what to ship, from the main protocol.
    """

    folder: Path
    parts: tuple[Part, ...]
    diagnostics: dict[str, Any]
    settings: dict[str, dict[str, Any]]
    trials: int
    manifest: Manifest
    answer: Recommendation

    @property
    def split(self) -> str:
        return str(self.diagnostics["split"])


def read_comparison(folder: Path) -> ComparisonFolder:
    """Read a comparison.

    Raises:
        InputError: `folder` holds no finished comparison, or a file of it is damaged.
    """
    missing = [n for n in (PLAN, RESULTS, SUMMARY, DIAGNOSTICS) if not (folder / n).is_file()]
    if missing:
        raise InputError(
            f"{folder} holds no finished comparison ({missing[0]} is missing): name the --out of "
            "'postclick compare', or run it again"
        )
    plan, diagnostics = read_json(folder / PLAN), read_json(folder / DIAGNOSTICS)
    if not isinstance(diagnostics, dict) or diagnostics.get("format") != FORMAT:
        raise _other_version(folder)
    try:
        results = pl.read_parquet(folder / RESULTS, glob=False)
    except (OSError, PolarsError) as error:
        raise InputError(f"{folder / RESULTS} is damaged: {error}") from None
    try:
        written = read_json(folder / SUMMARY)
        summaries, answer = written["protocols"], written["answer"]
        parts = tuple(
            _part(name, folder, summaries[name], results, diagnostics)
            for name in PROTOCOLS
            if name in summaries
        )
        for entry in summaries.values():
            for row in entry["metrics"]:
                figure_named(row["metric"])  # else it would be left out without a word
        settings, trials = plan["settings"], plan["trials"]
        first = next(iter(parts[0].runs.values())).folder
        said = Recommendation(**{**answer, "better": tuple(answer["better"])})
    except (KeyError, IndexError, TypeError, StopIteration):
        raise _other_version(folder) from None
    manifest = Manifest.read(first)
    return ComparisonFolder(folder, parts, diagnostics, settings, trials, manifest, said)


def _other_version(folder: Path) -> InputError:
    return InputError(
        f"{folder} was compared by another version of postclick: run 'postclick compare' with the "
        "same settings again, finished runs are kept"
    )


def _part(
    name: str,
    folder: Path,
    summary: dict[str, Any],
    results: pl.DataFrame,
    diagnostics: dict[str, Any],
) -> Part:
    found = diagnostics["protocols"][name]
    curves = found["methods"]
    runs = {method: RunFiles(folder / one["runs"][0]) for method, one in curves.items()}
    mine = results.filter(pl.col("protocol") == name)
    studies = {
        method: [read_study(folder / place, diagnostics["split"]) for place in one["runs"]]
        for method, one in curves.items()
    }
    complete = {m: [one for one in s if one] for m, s in studies.items() if all(s)}
    segments = {
        method: [RunFiles(folder / place).segments(diagnostics["split"]) for place in one["runs"]]
        for method, one in curves.items()
    }
    if not all(by for of_method in segments.values() for by in of_method):
        segments = {}
    return Part(
        name,
        _summary(summary),
        mine,
        curves,
        found["differences"],
        runs,
        complete,
        segments,
        found.get("intervals"),
    )


def _summary(data: dict[str, Any]) -> Summary:
    rows = tuple(
        Row(
            entry["metric"],
            entry["space"],
            {method: OverSeeds(**cell) for method, cell in entry["methods"].items()},
            entry["best_over_seeds"],
            entry["degenerate"],
            None if entry["perfect"] is None else Perfect(**entry["perfect"]),
            _row_test(entry["over_rows"]),
        )
        for entry in data["metrics"]
    )
    return Summary(tuple(data["methods"]), data["seeds"], rows, data["protocol"])


def _row_test(data: dict[str, Any] | None) -> RowTest | None:
    if data is None:
        return None
    gains = {name: None if one is None else Gain(**one) for name, one in data["gains"].items()}
    return RowTest(data["level"], data["drawn"], gains)
