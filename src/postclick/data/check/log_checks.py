"""`LogChecks`: takes in the chunks of all logs, hands on the rows to use, and reports on them."""

from collections.abc import Sequence

import polars as pl

from postclick.data.check.columns.collisions import BucketCounts, collision_findings
from postclick.data.check.columns.groups import GroupCounts, group_findings, shared_findings
from postclick.data.check.columns.id_like import IdLikeNumbers
from postclick.data.check.columns.labels import (
    CLICKED_CONVERSION,
    RIGHT_LABELS,
    BadRows,
    LabelCounts,
    label_findings,
    volume_findings,
)
from postclick.data.check.columns.times import mixed_findings, untimed_findings
from postclick.data.check.columns.value_findings import value_findings
from postclick.data.check.columns.vectors import vector_findings
from postclick.data.check.columns.weights import WeightCounts, unusable_weights, weight_findings
from postclick.data.check.columns.whole_columns import ColumnChecks, name_findings
from postclick.data.check.findings import CheckReport, Finding, Funnel, in_order
from postclick.data.check.leakage import MIN_POSITIVES, LeakSample, find_leaks
from postclick.data.check.splits.drawn import drawn_findings, purge_findings
from postclick.data.check.splits.negatives import require_some, sampling_finding
from postclick.data.check.splits.overlap import KeySketch, TimeSpan, key_findings, time_findings
from postclick.data.manifest import CLICK, CONVERSION, GROUP, SPLITS, TRUTH_COLUMNS, WEIGHT
from postclick.data.read.canonical import KEY, SPLIT, TIME, TIME_KIND
from postclick.data.read.reader import LogReader
from postclick.data.read.splitting.draw import LEFT_OUT, PURGED, UNTIMED, by_place
from postclick.data.read.splitting.time_counts import TimeKinds
from postclick.data.read.values.bad_values import NO_TRUTH
from postclick.data.schema import LogSchema
from postclick.spelling import counted


class LogChecks:
    """Gathers what all checks need while the logs go by, train first.

    Attributes:
        rows: rows taken in so far, those that `drop` left out not counted.
    """

    def __init__(
        self,
        schema: LogSchema,
        logs: Sequence[LogReader],
        policy: BadRows = "error",
        seed: int = 0,
    ) -> None:
        self._schema = schema
        self._logs = tuple(logs)
        self._policy = policy
        splits = [split for log in logs for split in log.draw.splits]
        self.rows = 0
        self._raw = {log.split: LabelCounts() for log in logs}
        self._columns = {log.split: ColumnChecks(schema) for log in logs}
        self._sample = LeakSample(schema, seed)
        self._id_like = IdLikeNumbers([f.name for f in schema.numeric])
        self._labels = {split: LabelCounts() for split in (*splits, LEFT_OUT, UNTIMED)}
        self._labels |= {place: LabelCounts() for place in PURGED.values()}
        self._keys = {split: KeySketch() for split in splits}
        self._times = {split: TimeSpan() for split in splits}
        self._kinds = {log.split: TimeKinds() for log in logs}
        self._groups = {split: GroupCounts() for split in splits}
        self._buckets = {f.name: BucketCounts(f.buckets) for f in schema.hashed}
        self._weights = {split: WeightCounts() for split in splits}

    def names(self) -> CheckReport:
        """What can be told before a row is read: columns that a log lacks, or has too many."""
        found = name_findings(self._schema, self._logs)
        found += [
            Finding("read-as", "info", None, 0, f"{log.split}: {note}")
            for log in self._logs
            for note in log.source.notes
        ]
        return CheckReport(in_order(found), {})

    def add(self, log: LogReader, chunk: pl.DataFrame) -> pl.DataFrame:
        """Take in a chunk of `log`; its rows that a split keeps, wrong labels dealt with."""
        self._raw[log.split].add(chunk[CLICK], chunk[CONVERSION])
        if self._schema.time:
            self._kinds[log.split].add(chunk[TIME_KIND])
        if self._policy == "drop":
            chunk = chunk.filter(RIGHT_LABELS)
        elif self._policy == "keep":
            chunk = chunk.with_columns(CLICKED_CONVERSION)
        self.rows += chunk.height
        self._columns[log.split].add(chunk)
        if log.split == "train":
            self._sample.add(chunk)
            self._id_like.add(chunk.select(f.name for f in self._schema.numeric))
        about = [name for name in (CLICK, CONVERSION, SPLIT, KEY, TIME, GROUP) if name in chunk]
        about += [WEIGHT] if self._schema.weight else []
        about += self._buckets
        kept = True
        for place, rows in by_place(chunk.select(about)).items():
            self._labels[place].add(rows[CLICK], rows[CONVERSION])
            if place not in SPLITS:
                kept = False
                continue
            if self._schema.key:
                self._keys[place].add(rows[KEY].to_numpy())
            if self._schema.time:
                after = None if log.split == "train" else self._times["train"].latest
                self._times[place].add(rows[TIME], after)
            if self._schema.group:
                self._groups[place].add(rows[GROUP].to_numpy())
            if self._schema.weight:
                self._weights[place].add(rows)
            if place == "train":
                for name, counts in self._buckets.items():
                    counts.add(rows[name])
        return chunk if kept else chunk.filter(pl.col(SPLIT) < len(SPLITS))

    def truth(self) -> dict[str, tuple[str, ...]]:
        """For each split the prepared names of the truth columns that it has values of."""
        truth = self._schema.truth
        raw = dict(zip(TRUTH_COLUMNS, (truth.ctr, truth.cvr, truth.conversion), strict=True))
        known: dict[str, tuple[str, ...]] = {}
        for log in self._logs:
            absent, rows = log.issues.rows, self._raw[log.split].rows
            full = [n for n in log.canonical.truth if absent[NO_TRUTH, raw[n] or ""] < rows]
            known |= dict.fromkeys(log.draw.splits, tuple(full))
        return known

    def report(self) -> CheckReport:
        """All findings on the rows.

        Raises:
            InputError: sampling left no training row without a click.
        """
        schema, found = self._schema, list[Finding]()
        for log in self._logs:
            raw = self._raw[log.split]
            found += label_findings(schema, log.split, raw, log.issues, self._policy)
            found += value_findings(schema, log.split, log.issues, raw.rows)
            missing = self._columns[log.split].missing
            found += vector_findings(schema, log.split, log.issues, raw.rows, missing)
            if schema.weight:
                found += unusable_weights(schema.weight, log.split, log.issues, raw.rows)
        funnel = {s: self._labels[s].funnel() for s in SPLITS if s in self._labels}
        for split, counts in funnel.items():
            found += volume_findings(schema, split, counts)
        train = self._columns["train"]
        found += train.train_findings() + self._id_like.findings()
        for split, columns in self._columns.items():
            found += columns.missing_findings(split, None if split == "train" else train)
        found += self._leaks(train.rows)
        rows = {split: counts.rows for split, counts in funnel.items()}
        for feature in schema.hashed:
            found += collision_findings(feature, self._buckets[feature.name])
        found += key_findings(schema, {split: self._keys[split] for split in funnel}, rows)
        found += time_findings(schema, self._times, rows)
        if schema.time:
            found += mixed_findings(schema.time, self._kinds)
        for log in self._logs:
            found += drawn_findings(schema, log.draw, rows)
        untimed = self._labels[UNTIMED].rows
        if schema.time and untimed:
            issues = self._logs[0].issues
            found += untimed_findings(schema.time, untimed, train.rows, issues, self._policy)
        if self._logs[0].draw.times is not None:
            purged = {split: self._labels[place].funnel() for split, place in PURGED.items()}
            found += purge_findings(schema, self._logs[0].draw.times, purged)
        if schema.group:
            for split in funnel:
                found += group_findings(schema.group, split, self._groups[split])
            drawn = self._logs[0].draw.shares
            found += shared_findings(schema.group, self._groups, rows, drawn)
        if schema.weight:
            for split in funnel:
                found += weight_findings(schema.weight, split, self._weights[split])
        found += self._negatives(funnel["train"])
        return CheckReport(in_order(found), funnel)

    def _negatives(self, kept: Funnel) -> list[Finding]:
        rate = self._logs[0].draw.negative_rate
        if rate >= 1:
            return []
        whole = LabelCounts()
        whole.merge(self._labels["train"])
        whole.merge(self._labels[LEFT_OUT])
        require_some(whole.funnel(), kept, rate)
        return [sampling_finding(whole.funnel(), kept, rate)]

    def _leaks(self, rows: int) -> list[Finding]:
        sample = self._sample.result()
        if sample is None:
            return []
        looked = len(sample.click)
        seen = "" if self._sample.complete else f"; judged on a sample of {counted(looked, 'row')}"
        found = []
        for name, leak in find_leaks(sample, self._schema.feature_names).items():
            assert leak.severity is not None
            message = (
                f"train: column {name!r} {leak.describe()}{seen}: it looks like an outcome, not "
                "known at impression time: put it under ignore"
            )
            found.append(Finding("outcome-leakage", leak.severity, name, rows, message))
        if sample.conversion.sum() < MIN_POSITIVES:
            message = (
                f"train: fewer than {MIN_POSITIVES} conversions: whether a column gives the "
                "conversion away was not judged"
            )
            found.append(Finding("leakage-not-judged", "info", None, looked, message))
        return found
