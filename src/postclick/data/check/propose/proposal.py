"""`propose_schema`: a first schema for a log, with the reason for each guess beside it."""

from collections.abc import Iterator, Mapping

import polars as pl
import yaml

from postclick.data.check.findings import share
from postclick.data.check.propose.draft import KINDS, Draft
from postclick.data.check.propose.facts import column_facts
from postclick.data.check.propose.labels import Labels, find_labels
from postclick.data.check.propose.sample import READ_ROWS, RowSample, draw_rows
from postclick.data.check.propose.text import draft_lines, label_text, read_lines
from postclick.data.manifest import POTENTIAL, TRUTH_COLUMNS
from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import LogLike, open_log
from postclick.data.read.values.bad_values import NO_TRUTH
from postclick.data.read.values.numbers import to_truth
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import LogSchema, ReadSettings
from postclick.errors import InputError
from postclick.spelling import counted, option


def propose_schema(
    log: LogLike,
    click: str | None = None,
    conversion: str | None = None,
    *,
    read: ReadSettings | None = None,
) -> str:
    """A YAML schema for the log, to be read and corrected by its owner.

    Looks at 200,000 rows drawn from the first 2,000,000. Columns that look like outcomes, name
    single rows or never vary are put under ignore, with the reason as a comment.

    Args:
        log: anything that `open_log` takes: paths, frames, an opened log.
        click: the column of clicks, or a rule such as "event != view"; None to tell it by names
            and values. A column that is not 0/1 gets a rule: a count or an amount is 1 above 0, a
            time where it has a value.
        conversion: likewise.
        read: how text files of the log are written, also to stand in the draft.

    Raises:
        InputError: there is no such column or no row; click and conversion cannot be told from
            the other columns (the message names candidates); or no feature is left.

    >>> log = {"click": [0, 1, 1, 0], "order": [0, 0, 1, 0], "shop": ["a", "b", "a", "c"]}
    >>> print(propose_schema(pl.DataFrame(log)))
    # Drafted from 4 rows of frame.
    # Check every line: a feature must be known before the impression is shown.
    # Assumed: click and conversion are told by their names: see --click and --conversion.
    click: click  # 2 of 4 rows (50 %)
    conversion: order  # 1 of 2 rows (50 %)
    categorical:
      - shop  # 3 values
    <BLANKLINE>
    """
    source = open_log(log, read=read)
    read = _settings(source, read)
    rules = ValueRules(decimal=read.decimal or ".")
    sample = draw_rows(source)
    frame = sample.frame
    facts = {n: column_facts(frame[n], rules, sample.lengths.get(n)) for n in frame.columns}
    labels = find_labels(source, frame, facts, click, conversion, read)
    taken = {labels.click.label.column, labels.conversion.label.column}
    truth = [n for n in TRUTH_COLUMNS if n in facts and n not in taken and _is_truth(frame[n])]
    others = {n: f for n, f in facts.items() if n not in {*taken, *truth}}
    draft = Draft(list(others.values()), sample)
    draft.drop_equal(frame)
    draft.drop_outcomes(frame, labels.click.label, labels.conversion.label)
    if not any(draft.kinds[kind] for kind in KINDS):
        named = "; ".join(f"{name!r} {why}" for name, why in list(draft.ignored.items())[:5])
        raise InputError(
            f"{source.name}: no column is left for a feature{': ' if named else ''}{named}: write "
            "a schema that names one"
        )
    lines = [
        *_header(source, sample, labels),
        *_label_lines(labels, frame.height),
        *draft_lines(draft, others),
        *_truth_lines(truth),
        *read_lines(read),
    ]
    text = "\n".join(lines) + "\n"
    LogSchema.parse(yaml.safe_load(text), where=f"draft for {source.name}")
    return text


def _settings(source: LogSource, read: ReadSettings | None) -> ReadSettings:
    """How the source's text is read: as asked, with a decimal comma where it was seen."""
    read = read or ReadSettings()
    comma = read.decimal is None and source.decimal == ","
    return read.model_copy(update={"decimal": ","}) if comma else read


def _is_truth(column: pl.Series) -> bool:
    """Whether a column can be the truth that its name says."""
    try:
        found = to_truth(column, column.name == POTENTIAL)[1]
    except InputError:
        return False
    return not any(bad.rows for kind, _, bad in found if kind != NO_TRUTH)


def _header(source: LogSource, sample: RowSample, labels: Labels) -> Iterator[str]:
    name = " ".join(source.name.split())
    yield f"# Drafted from {counted(sample.frame.height, 'row')} of {name}."
    yield "# Check every line: a feature must be known before the impression is shown."
    notes = list(source.notes)
    if labels.why != "named":
        notes.append(f"click and conversion are told by {labels.why}: see --click and --conversion")
    if not sample.whole:
        notes.append(f"rows after the first {READ_ROWS:,} are like those")
    yield from (f"# Assumed: {' '.join(str(note).split()).removesuffix('.')}." for note in notes)


def _label_lines(labels: Labels, rows: int) -> Iterator[str]:
    click, conversion = labels.click, labels.conversion
    meaning = f", {click.meaning}" if click.meaning else ""
    yield f"click: {label_text(click.label)}  # {share(click.ones, rows)}{meaning}"
    said = share(conversion.ones, click.ones)
    said += f", {conversion.meaning}" if conversion.meaning else ""
    if labels.clickless:
        said += f", {labels.clickless:,} without a click: correct them, or prepare with "
        said += f"{option('on_bad_rows', 'keep')}, which records no conversion in them"
    if labels.conversion.absent:
        absent = counted(labels.conversion.absent, "row")
        said += f", missing in {absent} without a click, where it is 0"
    yield f"conversion: {label_text(conversion.label)}  # {said}"


def _truth_lines(truth: list[str]) -> list[str]:
    keys: Mapping[str, str] = dict(zip(TRUTH_COLUMNS, ("ctr", "cvr", "conversion"), strict=True))
    return ["truth:", *(f"  {keys[name]}: {name}" for name in truth)] if truth else []
