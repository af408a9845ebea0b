"""`check_log`: one pass over each split, and every finding on the funnel, the columns and leaks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from postclick.data.check.columns.extremes import extreme_findings, extreme_vector_findings
from postclick.data.check.columns.labels import BadRows
from postclick.data.check.findings import CheckReport, in_order
from postclick.data.check.log_checks import LogChecks
from postclick.data.numbers.summary import summaries_of
from postclick.data.numbers.vector_summary import vector_summaries_of
from postclick.data.read.canonical import ROW
from postclick.data.read.files.text.decimals import as_told
from postclick.data.read.opening import LogLike, open_log
from postclick.data.read.reader import LogReader
from postclick.data.read.splitting.draw import Draw
from postclick.data.row_hash import SAMPLE, hashes_of
from postclick.data.schema import LogSchema

Progress = Callable[[str, int, int | None], None]


def check_log(
    schema: LogSchema | Mapping[str, Any] | str | Path,
    train: LogLike,
    test: LogLike | None = None,
    valid: LogLike | None = None,
    *,
    on_bad_rows: BadRows = "error",
    progress: Progress | None = None,
) -> CheckReport:
    """Read each log once and report what is wrong or odd, and the funnel of each.

    Leakage is judged on at most 120,000 rows of train, drawn by a hash of the row number.

    Args:
        schema: a schema, a mapping with its content, or a YAML file.
        train, test, valid: anything that `open_log` takes: paths, frames, opened logs.
        on_bad_rows: as in `prepare`; under "drop" and "keep" wrong labels are warnings.
        progress: called with a stage, rows done and rows in all (None: unknown).

    >>> import polars as pl
    >>> schema = LogSchema.parse({"click": "click", "conversion": "buy", "categorical": ["shop"]})
    >>> log = pl.DataFrame({"click": [0, 1, 0], "buy": [0, 1, 1], "shop": ["a", "b", "b"]})
    >>> report = check_log(schema, log)
    >>> report.errors[0].code, report.funnel["train"]
    ('conversion-without-click', Funnel(rows=3, clicks=1, conversions=2))
    """
    schema = LogSchema.of(schema)
    given = {"train": train, "valid": valid, "test": test}
    sources = {
        name: open_log(log, read=schema.reading) for name, log in given.items() if log is not None
    }
    schema = as_told(schema, sources.values())
    logs = [LogReader(schema, log, Draw(name)) for name, log in sources.items()]
    checks = LogChecks(schema, logs, on_bad_rows)
    names = checks.names()
    if names.errors:
        return names
    numbers, vectors = summaries_of(schema), vector_summaries_of(schema)
    for log in logs:
        before = checks.rows
        for chunk in log.chunks():
            checked = checks.add(log, chunk)
            if log.split == "train":
                hashes = hashes_of(checked[ROW].to_numpy(), 0, SAMPLE)
                for name, summary in numbers.items():
                    summary.add(checked[name].to_numpy(), hashes)
                for name, of_vectors in vectors.items():
                    of_vectors.add(checked[name], hashes)
            if progress is not None:
                progress(f"check {log.split}", checks.rows - before, None)
    report = checks.report()
    found = [*names.findings, *report.findings, *extreme_findings(numbers)]
    found += extreme_vector_findings(vectors)
    return CheckReport(in_order(found), report.funnel)
