"""`propose_schema`: a first schema for a log, with the reason for each guess beside it."""

import json
import re
from collections.abc import Sequence

import polars as pl
import polars.selectors as cs
import yaml

from postclick.data.check.column_facts import ColumnFacts, column_facts
from postclick.data.check.findings import share
from postclick.data.check.leakage import LeakSample, find_leaks
from postclick.data.check.roles import guess_group, guess_labels, is_numeric, is_row_id, is_time
from postclick.data.manifest import RESERVED, TRUTH_COLUMNS
from postclick.data.read.canonical import ROW, Canonicalizer, Issues
from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import LogLike, open_log
from postclick.data.read.reader import read_ahead
from postclick.data.row_hash import SAMPLE, row_hash
from postclick.data.sample import HASH, HashSample
from postclick.data.schema import LogSchema, ReadSettings

READ_ROWS, SAMPLE_ROWS = 2_000_000, 200_000
LIST_HEAD = 50  # elements of a list that are looked at
WEIGHT_SUFFIXES = ("_weights", "_weight", "_values")
MANY_VALUES = 10_000
DECIMALS = r"^\s*[+-]?(\d*,)?\d+\s*$"


def propose_schema(log: LogLike, read: ReadSettings | None = None) -> str:
    """A YAML schema for the log, to be read and corrected by its owner.

    Looks at 200,000 rows drawn from the first 2,000,000. Columns that look like outcomes, name
    single rows or never vary are put under ignore, with the reason as a comment.

    Args:
        log: anything that `open_log` takes: paths, frames, an opened log.
        read: how text files of it are written, also to stand in the draft.

    Raises:
        InputError: click and conversion cannot be told from the other columns.

    >>> log = {"click": [0, 1, 1, 0], "order": [0, 0, 1, 0], "shop": ["a", "b", "a", "c"]}
    >>> print(propose_schema(pl.DataFrame(log)))
    # Drafted from 4 rows of frame.
    # Check every line: a feature must be known before the impression is shown.
    click: click  # 2 of 4 rows (50 %)
    conversion: order  # 1 of 2 rows (50 %)
    categorical:
      - shop  # 3 values
    <BLANKLINE>
    """
    source = open_log(log, read=read)
    sample = _sample(source)
    if source.decimal == ",":
        sample = _with_points(sample)
    facts = {name: column_facts(sample[name]) for name in sample.columns}
    truth = [name for name in TRUTH_COLUMNS if name in facts]
    labels = guess_labels([f for f in facts.values() if f.name not in truth], source.name)
    draft = _Draft(
        [f for n, f in facts.items() if n not in {labels.click, labels.conversion, *truth}]
    )
    draft.drop_equal(sample)
    draft.drop_leaks(sample, labels.click, labels.conversion)
    clicks, conversions = _ones(facts[labels.click]), _ones(facts[labels.conversion])
    without = f", {labels.clickless:,} without a click" if labels.clickless else ""
    lines = [
        f"# Drafted from {sample.height:,} rows of {' '.join(source.name.split())}.",
        *(f"# {' '.join(note.split())}." for note in source.notes),
        "# Check every line: a feature must be known before the impression is shown.",
        f"click: {_quoted(labels.click)}  # {share(clicks, sample.height)}",
        f"conversion: {_quoted(labels.conversion)}  # {share(conversions, clicks)}{without}",
        *draft.lines(),
    ]
    if truth:
        keys = dict(zip(TRUTH_COLUMNS, ("ctr", "cvr", "conversion"), strict=True))
        lines += ["truth:", *(f"  {keys[name]}: {name}" for name in truth)]
    lines += _read_lines(source, read)
    text = "\n".join(lines) + "\n"
    LogSchema.parse(yaml.safe_load(text), where=f"draft for {source.name}")
    return text


def _sample(source: LogSource) -> pl.DataFrame:
    sample = HashSample(SAMPLE_ROWS)
    rows = 0
    for raw in read_ahead(source.frames(source.columns)):
        frame = raw.with_columns(cs.list().list.head(LIST_HEAD))
        hashes = row_hash(rows, frame.height, 0, SAMPLE)
        mask = sample.accept(hashes)
        sample.put(frame.filter(pl.Series(mask)), hashes[mask])
        rows += frame.height
        if rows >= READ_ROWS:
            break
    return sample.frame().drop(HASH, strict=False)


def _with_points(sample: pl.DataFrame) -> pl.DataFrame:
    """Text columns of numbers with a decimal comma, with a point."""
    texts = [
        name
        for name, column in sample.select(cs.string()).to_dict().items()
        if column.str.contains(DECIMALS).all() and column.str.contains(",", literal=True).any()
    ]
    return sample.with_columns(pl.col(texts).str.replace(",", ".", literal=True))


def _read_lines(source: LogSource, read: ReadSettings | None) -> list[str]:
    """The YAML of how the log is read: what was told, and a decimal comma that was seen."""
    told = read.model_dump(mode="json", exclude_none=True) if read is not None else {}
    if source.decimal == ",":
        told["decimal"] = ","
    if not told:
        return []
    return ["read:", *(f"  {k}: {json.dumps(v, ensure_ascii=False)}" for k, v in told.items())]


def _ones(facts: ColumnFacts) -> int:
    return int(facts.label.sum()) if facts.label is not None else 0


def _quoted(name: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and yaml.safe_load(name) == name
    return name if plain else json.dumps(name, ensure_ascii=False)


class _Draft:
    """The columns that are neither labels nor truth, sorted into roles."""

    def __init__(self, facts: Sequence[ColumnFacts]) -> None:
        self.kinds: dict[str, dict[str, ColumnFacts]] = {
            "categorical": {},
            "numeric": {},
            "multi": {},
        }
        self.weights: dict[str, str] = {}
        self.ignored: dict[str, str] = {}
        self.time: str | None = None
        bags = {f.name for f in facts if f.form == "list" or f.separator is not None}
        for column in facts:
            base = next(
                (
                    column.name.removesuffix(s)
                    for s in WEIGHT_SUFFIXES
                    if column.name.endswith(s) and column.name.removesuffix(s) in bags
                ),
                None,
            )
            if base is not None and base != column.name and column.name in bags:
                self.weights[base] = column.name
            else:
                self._place(column)

    def _place(self, column: ColumnFacts) -> None:
        name = column.name
        if name in RESERVED:
            self.ignored[name] = (
                "prepared data uses this name itself: rename it to make it a feature"
            )
        elif column.form == "empty":
            self.ignored[name] = "has no values"
        elif column.form == "record":
            self.ignored[name] = "holds records, not values: flatten it to make it a feature"
        elif column.form == "list" or column.separator is not None:
            self.kinds["multi"][name] = column
        elif column.distinct == 1 and column.present == column.rows:
            self.ignored[name] = "is the same in every row"
        elif is_time(column) and self.time is None:
            self.time = name
        elif column.form == "time":
            self.ignored[name] = "is a date: derive hour or weekday from it to make it a feature"
        elif is_row_id(column):
            self.ignored[name] = f"has its own value in (almost) every row ({column.distinct:,})"
        else:
            self.kinds["numeric" if is_numeric(column) else "categorical"][name] = column

    def drop_equal(self, sample: pl.DataFrame) -> None:
        """Leave out columns that repeat an earlier one."""
        for columns in (self.kinds["categorical"], self.kinds["numeric"]):
            seen: dict[int, str] = {}
            for name in list(columns):
                checksum = int(sample[name].hash().reinterpret(signed=True).sum())
                twin = seen.setdefault(checksum, name)
                if twin != name and sample[name].equals(sample[twin], check_names=False):
                    del columns[name]
                    self.ignored[name] = f"is equal to {_quoted(twin)}"

    def drop_leaks(self, sample: pl.DataFrame, click: str, conversion: str) -> None:
        """Leave out columns that alone give a label away."""
        if not any(self.kinds.values()):
            return
        features: dict[str, list[object]] = {kind: [] for kind in self.kinds}
        for kind, columns in self.kinds.items():
            for name, facts in columns.items():
                plain = kind != "multi" or facts.separator is None
                features[kind].append(
                    name if plain else {"name": name, "separator": facts.separator}
                )
        schema = LogSchema.parse({"click": click, "conversion": conversion, **features})
        canonical = Canonicalizer(schema, sample.columns).convert(sample, Issues())
        collected = LeakSample(schema, seed=0)
        collected.add(canonical.with_row_index(ROW))
        labelled = collected.result()
        for name, leak in find_leaks(labelled, schema.feature_names).items() if labelled else ():
            for columns in self.kinds.values():
                columns.pop(name, None)
            self.ignored[name] = leak.describe() + ": an outcome?"

    def lines(self) -> list[str]:
        """The YAML of these columns."""
        lines: list[str] = []
        for kind, columns in self.kinds.items():
            lines += [f"{kind}:"] if columns else []
            for name, facts in columns.items():
                lines += self._feature(kind, name, facts)
        if self.ignored:
            lines.append("ignore:")
            lines += [f"  - {_quoted(name)}  # {why}" for name, why in self.ignored.items()]
        if self.time is not None:
            lines.append(f"time: {_quoted(self.time)}")
        group = guess_group([*self.kinds["categorical"].values(), *self.kinds["numeric"].values()])
        if group is not None:
            why = "would compute metrics within its values too"
            lines.append(f"# group: {_quoted(group.name)}  # {why}")
        if any(f.distinct > MANY_VALUES for f in self.kinds["categorical"].values()):
            lines.append("# min_count: 5  # would let rarer values share one id")
        return lines

    def _feature(self, kind: str, name: str, facts: ColumnFacts) -> list[str]:
        comment = f"{facts.distinct:,} values" + (f", {facts.span}" if kind == "numeric" else "")
        if facts.present < facts.rows:
            comment += f", missing in {1 - facts.present / facts.rows:.1%}"
        settings = []
        if kind == "numeric" and facts.skewed:
            settings.append("transform: log1p  # a few values are far above the others")
        if facts.separator is not None:
            settings.append(f"separator: {json.dumps(facts.separator)}")
        if name in self.weights:
            settings.append(f"weights: {_quoted(self.weights[name])}")
        if not settings:
            return [f"  - {_quoted(name)}  # {comment}"]
        return [f"  - name: {_quoted(name)}  # {comment}", *(f"    {s}" for s in settings)]
