"""`check_log`: one pass over each split, and every finding on the funnel, the columns and leaks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from postclick.data.check.columns import ColumnChecks, issue_findings, name_findings
from postclick.data.check.findings import CheckReport, Finding, in_order
from postclick.data.check.labels import LabelCounts, label_findings, volume_findings
from postclick.data.check.leakage import MIN_POSITIVES, LeakSample, find_leaks
from postclick.data.check.overlap import KeySketch, TimeSpan, key_findings, time_findings
from postclick.data.manifest import SPLITS, TRUTH_COLUMNS
from postclick.data.read.canonical import KEY, NO_TRUTH, TIME, Canonicalizer, Issues
from postclick.data.read.opening import LogSource
from postclick.data.read.row_numbers import BadRows, settle, with_rows
from postclick.data.schema import LogSchema

# Long lists are dealt with in portions, so that copies of them stay small.
PIECE_BYTES = 64 << 20
Progress = Callable[[str, int, int | None], None]


class LogChecks:
    """Gathers what all checks need while someone reads the log.

    Call `begin` for a log, then for each of its chunks `settle` and `add` with the rows of each
    split it holds: a log from which other splits are drawn feeds several. Train comes first.
    """

    def __init__(self, schema: LogSchema, policy: BadRows = "error", seed: int = 0) -> None:
        self._schema = schema
        self._policy = policy
        self._raw: dict[str, LabelCounts] = {}
        self._issues: dict[str, Issues] = {}
        self._columns: dict[str, ColumnChecks] = {}
        self._sample = LeakSample(schema, seed)
        self._labels: dict[str, LabelCounts] = {}
        self._keys: dict[str, KeySketch] = {}
        self._times: dict[str, TimeSpan] = {}
        self._drawn: dict[str, None] = {}

    def begin(self, source: str, splits: Sequence[str]) -> None:
        """Start on the log called `source`, whose rows go to `splits`."""
        self._issues[source] = Issues()
        self._raw[source] = LabelCounts()
        self._columns[source] = ColumnChecks(self._schema)
        train = self._times.get("train")
        for name in splits:
            self._labels[name] = LabelCounts()
            self._keys[name] = KeySketch()
            self._times[name] = TimeSpan(train.latest if train and name == source else None)
            if name != source:
                self._drawn[name] = None

    def issues(self, source: str) -> Issues:
        """Where `Canonicalizer.convert` counts trouble with the log called `source`."""
        return self._issues[source]

    def settle(self, source: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Count wrong labels of a canonical frame and deal with them by the policy."""
        self._raw[source].add(frame)
        return settle(frame, self._policy)

    def add(self, source: str, frame: pl.DataFrame, splits: Mapping[str, pl.DataFrame]) -> None:
        """Take in a settled frame; `splits` divides its rows (labels, `__key`, `__time`)."""
        self._columns[source].add(frame)
        if source == "train":
            self._sample.add(frame)
        for name, part in splits.items():
            self._labels[name].add(part)
            if self._schema.key:
                self._keys[name].add(part[KEY].to_numpy())
            if self._schema.time:
                self._times[name].add(part[TIME])

    def rows(self, split: str) -> int:
        """Rows of a split so far."""
        return self._labels[split].rows

    def empty_truth(self, source: str) -> tuple[str, ...]:
        """Prepared names of the truth columns without a value in any row of a log."""
        truth = self._schema.truth
        raw = zip(TRUTH_COLUMNS, (truth.ctr, truth.cvr, truth.conversion), strict=True)
        absent, rows = self._issues[source].rows, self._raw[source].rows
        return tuple(k for k, name in raw if name and absent[NO_TRUTH, name] == rows)

    def report(self) -> CheckReport:
        schema, found = self._schema, list[Finding]()
        for source, issues in self._issues.items():
            raw = self._raw[source]
            found += label_findings(schema, source, raw, issues, self._policy)
            found += issue_findings(source, issues, raw.rows)
        funnel = {s: self._labels[s].funnel() for s in SPLITS if s in self._labels}
        for split, counts in funnel.items():
            found += volume_findings(schema, split, counts)
        train = self._columns["train"]
        found += train.train_findings()
        for source, columns in self._columns.items():
            found += columns.missing_findings(source, None if source == "train" else train)
        found += self._leaks(train.rows)
        rows = {split: counts.rows for split, counts in funnel.items()}
        found += key_findings(schema, {split: self._keys[split] for split in funnel}, rows)
        found += time_findings(schema, self._times, rows)
        found += self._drawn_findings(rows)
        return CheckReport(in_order(found), funnel)

    def _leaks(self, rows: int) -> list[Finding]:
        sample = self._sample.result()
        if sample is None:
            return []
        looked = len(sample.click)
        seen = "" if self._sample.complete else f"; judged on a sample of {looked:,} rows"
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

    def _drawn_findings(self, rows: dict[str, int]) -> list[Finding]:
        if not self._schema.time or not self._drawn:
            return []
        names = " and ".join(self._drawn)
        message = (
            f"{names}: drawn from train at random, not by time ({self._schema.time}): "
            "give logs that are later than train"
        )
        count = sum(rows[name] for name in self._drawn)
        return [Finding("time-overlap", "warning", self._schema.time, count, message)]


def canonical_chunks(
    schema: LogSchema, name: str, source: LogSource, checks: LogChecks
) -> Iterator[pl.DataFrame]:
    """The log as canonical frames with row numbers, wrong labels counted and settled."""
    canonical = Canonicalizer(schema, source.columns)
    # A weights column may be a feature too, or weigh several.
    lists = list(dict.fromkeys([*(f.name for f in schema.multi), *schema.weight_columns]))
    first = 0
    for frame in read_ahead(source.frames(canonical.reads)):
        for raw in pieces(frame, lists):
            canonized = with_rows(canonical.convert(raw, checks.issues(name)), first)
            first += raw.height
            yield checks.settle(name, canonized)


def pieces(frame: pl.DataFrame, lists: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The frame cut so that the `lists` columns of each piece hold about `PIECE_BYTES`."""
    size = 0
    for column in frame.select(lists):
        if column.dtype == pl.String:
            size += int(column.str.len_bytes().sum())
        elif isinstance(column.dtype, pl.List):
            size += 16 * int(column.list.len().sum())
    rows = max(1, frame.height // (1 + size // PIECE_BYTES))
    yield from frame.iter_slices(rows)


def read_ahead(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same frames, each read in a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, frames, None)
        while (frame := ahead.result()) is not None:
            ahead = reader.submit(next, frames, None)
            yield frame


def check_log(
    schema: LogSchema,
    train: LogSource,
    test: LogSource | None = None,
    valid: LogSource | None = None,
    *,
    on_bad_rows: BadRows = "error",
    progress: Progress | None = None,
) -> CheckReport:
    """Read each log once and report what is wrong or odd, and the funnel of each.

    Leakage is judged on at most 120,000 rows of train, drawn by a hash of the row number.

    Args:
        on_bad_rows: as in `prepare`; under "drop" and "keep" wrong labels are warnings.
        progress: called with a stage, rows done and rows in all (None: unknown).

    >>> from postclick.data.read.log_source import FrameSource
    >>> schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["shop"]})
    >>> log = pl.DataFrame({"click": [0, 1, 0], "buy": [0, 1, 1], "shop": ["a", "b", "b"]})
    >>> report = check_log(schema, FrameSource(log))
    >>> report.errors[0].code, report.funnel["train"]
    ('conversion-without-click', Funnel(rows=3, clicks=1, conversions=2))
    """
    given = {"train": train, "valid": valid, "test": test}
    sources = {name: source for name, source in given.items() if source is not None}
    names = name_findings(schema, sources)
    if any(f.severity == "error" for f in names):
        return CheckReport(in_order(names), {})
    checks = LogChecks(schema, on_bad_rows)
    for name, source in sources.items():
        checks.begin(name, [name])
        for frame in canonical_chunks(schema, name, source, checks):
            checks.add(name, frame, {name: frame})
            if progress is not None:
                progress(f"check {name}", checks.rows(name), None)
    report = checks.report()
    return CheckReport(in_order([*names, *report.findings]), report.funnel)
