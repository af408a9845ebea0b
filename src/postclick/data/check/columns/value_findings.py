"""Findings on single values: unreadable, infinite, rounded, or not what they look like."""

from collections.abc import Iterator, Sequence

from postclick.data.check.findings import Finding, Severity
from postclick.data.read.canonical import Issues
from postclick.data.read.values import bad_values as v
from postclick.data.read.values.number_spellings import NumberSpellings
from postclick.data.read.values.rounded_ids import RoundedIds
from postclick.data.schema import LogSchema
from postclick.spelling import counted

_ISSUES: dict[str, tuple[str, Severity, str]] = {
    v.UNREADABLE: (
        "unreadable-number",
        "error",
        "values are not numbers: mend them, list them under missing, or list the column under "
        "categorical",
    ),
    v.INFINITE: ("infinite-number", "warning", "values are infinite and count as missing"),
    v.NO_NUMBER: ("missing-number", "info", "values are no numbers and count as missing"),
    v.BRACKETS: (
        "list-as-text",
        "error",
        "values are written as lists, with brackets or quotes, which the separator does not take "
        "off: set brackets: true for the column",
    ),
    v.LENGTHS: (
        "weights-differ-in-length",
        "error",
        "rows have lists and weights of different lengths: mend them, or take out the weights",
    ),
    v.NO_WEIGHT: ("missing-weight", "warning", "weights are missing and count as 0"),
    v.TRUTH_RANGE: (
        "truth-out-of-range",
        "error",
        "values are outside [0, 1] (a potential conversion must be 0 or 1): mend the truth "
        "column, or take it out of the schema",
    ),
    v.NO_TRUTH: ("missing-truth", "warning", "rows have no truth and cannot be judged by it"),
    v.UNREADABLE_TIME: (
        "unreadable-time",
        "warning",
        "values are neither a number nor a date in ISO 8601: write one of the two, such as "
        "2026-01-05 or 2026-01-05T13:30:00Z",
    ),
}
TOKENS = 5  # named in one line


def value_findings(schema: LogSchema, split: str, issues: Issues, rows: int) -> list[Finding]:
    """What canonical conversion counted, the labels left out, in the order of the columns."""
    found = []
    places = {name: place for place, name in enumerate(dict.fromkeys(_columns(schema)))}
    kinds = list(_ISSUES)
    known = [key for key in issues.rows if key[0] in _ISSUES]
    for kind, column in sorted(
        known, key=lambda key: (places.get(key[1], len(places)), kinds.index(key[0]))
    ):
        count = issues.rows[kind, column]
        if kind == v.NO_TRUTH and count == rows:
            message = (
                f"{split}: truth column {column!r} has no values: it is judged without that truth"
            )
            found.append(Finding("no-truth-column", "info", column, count, message))
        else:
            code, severity, text = _ISSUES[kind]
            such = ", ".join(e for e in issues.examples[kind, column] if e != "missing")
            message = f"{split}: column {column!r}: {count:,} {text}"
            message += f" (such as {such})" if such else ""
            found.append(Finding(code, severity, column, count, message))
    for column in places:
        tokens = {t: n for (name, t), n in issues.like_missing.items() if name == column}
        found += [_like_missing(split, column, tokens, rows)] if tokens else []
    for column, spellings in ((c, issues.spellings[c]) for c in places if c in issues.spellings):
        found += [_same_number(split, column, spellings)] if spellings.rows else []
    rounded = issues.rounded
    found += [_rounded(split, c, rounded[c], rows) for c in places if c in rounded]
    return found


def _columns(schema: LogSchema) -> Iterator[str]:
    """Columns in the order in which a canonical frame has them, some more than once."""
    yield from (feature.name for feature in (*schema.categorical, *schema.numeric))
    for bag in schema.multi:
        yield from (name for name in (bag.name, bag.weights) if name is not None)
    yield from schema.truth.columns()
    yield from schema.columns


def _same_number(split: str, column: str, spellings: NumberSpellings) -> Finding:
    such = ", ".join(map(repr, spellings.examples))
    alike = ("value is a number that", "values are numbers that")
    message = (
        f"{split}: column {column!r}: {counted(spellings.rows, *alike)} other rows write in "
        f"another way, and {'counts' if spellings.rows == 1 else 'count'} as the same (such as "
        f"{such}): set verbatim: true for the column if they are names, such as versions or codes"
    )
    return Finding("same-number", "warning", column, spellings.rows, message)


def _like_missing(split: str, column: str, tokens: dict[str, int], rows: int) -> Finding:
    most: Sequence[tuple[str, int]] = sorted(tokens.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{token!r} in {count:,}" for token, count in most[:TOKENS])
    more = f" and {len(most) - TOKENS} more" if len(most) > TOKENS else ""
    count = sum(tokens.values())
    look = (
        "value looks like a missing one and counts",
        "values look like a missing one and count",
    )
    message = (
        f"{split}: column {column!r}: {counted(count, *look)} as a category ({named}{more}): list "
        "what is missing under missing in the schema"
    )
    return Finding("like-missing", "warning", column, count, message)


def _rounded(split: str, column: str, ids: RoundedIds, rows: int) -> Finding:
    severity: Severity = "error" if ids.merged else "warning"
    what = (
        "different ids have become one"
        if ids.merged
        else "ids that lie close together would become one"
    )
    whole = ("value is a whole number", "values are whole numbers")
    message = (
        f"{split}: column {column!r}: {counted(ids.rows, *whole)} in floating point "
        f"from {ids.steps:,.0f} on, which has lost their last digits (such as {ids.example}): "
        f"{what}: write the column as integers or text"
    )
    return Finding("rounded-ids", severity, column, ids.rows, message)
