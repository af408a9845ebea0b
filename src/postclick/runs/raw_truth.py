"""The truth columns of a raw log: read once before all else, for metrics need them whole."""

from postclick.data import manifest as m
from postclick.data.check.columns.value_findings import value_findings
from postclick.data.check.findings import CheckReport, share
from postclick.data.read.canonical import Issues
from postclick.data.read.log_source import LogSource
from postclick.data.read.values.numbers import to_truth
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import LogSchema
from postclick.errors import InputError


def whole_truth(schema: LogSchema, source: LogSource) -> tuple[str, ...]:
    """Prepared names of the truth columns that have a value in every row of a log.

    One without any value is as one that is not there. pCTR is not judged by its truth, which may
    have gaps.

    Raises:
        InputError: a column has values in some rows only, or one that is none.

    >>> import polars as pl
    >>> from postclick.data.read.log_source import FrameSource
    >>> names = {"click": "c", "conversion": "v", "categorical": ["shop"]}
    >>> schema = LogSchema.parse({**names, "truth": {"cvr": "p", "conversion": "would"}})
    >>> whole_truth(schema, FrameSource(pl.DataFrame({"p": [0.1, 0.2], "would": [None, None]})))
    ('true_cvr',)
    """
    raw = (schema.truth.ctr, schema.truth.cvr, schema.truth.conversion)
    pairs = zip(m.TRUTH_COLUMNS, raw, strict=True)
    columns = {k: name for k, name in pairs if name is not None and name in source.columns}
    if not columns:
        return ()
    rules, issues, rows = ValueRules.of(schema), Issues(), 0
    missing = dict.fromkeys(columns, 0)
    for frame in source.frames(list(dict.fromkeys(columns.values()))):
        rows += frame.height
        for name, column in columns.items():
            values, odd = to_truth(frame[column], name == m.POTENTIAL, rules)
            missing[name] += values.null_count()
            for kind, where, bad in odd:
                issues.add(kind, where, bad)
    found = value_findings(schema, source.name, issues, rows)
    CheckReport(tuple(found), {}).raise_errors()
    for name, column in columns.items():
        if name != m.TRUE_CTR and 0 < missing[name] < rows:
            raise InputError(
                f"{source.name}: truth column {column!r} has no value in "
                f"{share(missing[name], rows)}, and figures against truth need one in every row: "
                "judge rows with truth alone, or take the column out of the log"
            )
    return tuple(name for name in columns if missing[name] < rows)
