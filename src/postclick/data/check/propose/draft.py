"""The columns of a log sorted into the parts of a schema, labels and truth left out."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from postclick.data.check.leakage import LeakSample, find_leaks
from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.roles import OUTCOME, POSITION, WEIGHT, role_of
from postclick.data.check.propose.sample import RowSample
from postclick.data.read.canonical import ROW, Canonicalizer, Issues
from postclick.data.read.values.bad_values import BRACKETS
from postclick.data.read.values.lists import to_bag
from postclick.data.read.values.value_rules import DEFAULT_MISSING
from postclick.data.schema import Label, LogSchema, MultiCategorical
from postclick.errors import InputError

WEIGHT_SUFFIXES = ("_weights", "_weight", "_values")
KINDS = ("categorical", "numeric", "multi", "vector")


class Draft:
    """What the columns are to be.

    Attributes:
        kinds: the features of each kind.
        weights: of a multi-valued feature, the column of its weights.
        ignored: columns that are no features, and why.
        time: the column that says when the impression was.
        sample_weight: a column that looks like weights of the rows.
        exposure: a column that looks like a place in a ranking.
    """

    def __init__(self, facts: Sequence[ColumnFacts], sample: RowSample) -> None:
        self.kinds: dict[str, dict[str, ColumnFacts]] = {kind: {} for kind in KINDS}
        self.weights, unfit = _weights(facts, sample)
        why = "is no list of numbers as long as the one that it seems to weigh"
        self.ignored: dict[str, str] = dict.fromkeys(unfit, why)
        self.time: str | None = None
        self.sample_weight: str | None = None
        self.exposure: str | None = None
        self._outcomes: list[str] = []
        times = []
        for column in facts:
            if column.name in self.ignored or column.name in self.weights.values():
                continue
            role = role_of(column)
            if role.outcome:
                self._outcomes.append(column.name)
            if role.kind == "time":
                times.append(column)
            elif role.kind == "ignore":
                self.ignored[column.name] = role.why
                if role.why == WEIGHT and self.sample_weight is None:
                    self.sample_weight = column.name
                if role.why == POSITION and self.exposure is None:
                    self.exposure = column.name
            else:
                self.kinds[role.kind][column.name] = column
        self._choose_time(times)

    def _choose_time(self, times: Sequence[ColumnFacts]) -> None:
        """The finest of those that every row has, or of all."""
        if times:
            self.time = max(times, key=lambda f: (f.present == f.rows, f.distinct)).name
        why = "is a date: derive hour or weekday from it to make it a feature"
        self.ignored |= {f.name: why for f in times if f.name != self.time}

    @property
    def missing(self) -> tuple[str, ...] | None:
        """What stands for a missing value, if numbers need more than the defaults."""
        numbers = [f.numbers for f in self.kinds["numeric"].values() if f.numbers is not None]
        odd = dict.fromkeys(text for one in numbers for text in one.odd)
        if not odd:
            return None
        known = dict.fromkeys(text for one in numbers for text in one.known)
        return tuple(dict.fromkeys([*DEFAULT_MISSING, *known, *odd]))

    def drop_equal(self, sample: pl.DataFrame) -> None:
        """Leave out columns that repeat an earlier one."""
        for columns in (self.kinds["categorical"], self.kinds["numeric"]):
            seen: dict[int, str] = {}
            for name in list(columns):
                checksum = int(sample[name].hash().reinterpret(signed=True).sum())
                twin = seen.setdefault(checksum, name)
                if twin != name and sample[name].equals(sample[twin], check_names=False):
                    del columns[name]
                    self.ignored[name] = f"is equal to {twin!r}"

    def drop_outcomes(self, sample: pl.DataFrame, click: Label, conversion: Label) -> None:
        """Leave out columns that alone give a label away, or have the name of an outcome."""
        for name, why in self._leaks(sample, click, conversion).items():
            self._drop(name, why)
        for name in self._outcomes:
            self._drop(name, OUTCOME)

    def _drop(self, name: str, why: str) -> None:
        for columns in self.kinds.values():
            if columns.pop(name, None) is not None:
                self.ignored[name] = why
        weights = self.weights.pop(name, None)
        if weights is not None:
            self.ignored[weights] = f"weighs {name!r}"

    def _leaks(self, sample: pl.DataFrame, click: Label, conversion: Label) -> dict[str, str]:
        labels = {"click": click.model_dump(), "conversion": conversion.model_dump()}
        judged = {kind: self.entries(kind) for kind in KINDS if kind != "vector"}
        if not any(judged.values()):
            return {}
        schema = LogSchema.parse({**labels, **judged, "missing": self.missing})
        canonical = Canonicalizer(schema, sample.columns).convert(sample, Issues())
        collected = LeakSample(schema, seed=0)
        collected.add(canonical.with_row_index(ROW))
        labelled = collected.result()
        found = find_leaks(labelled, schema.feature_names) if labelled is not None else {}
        return {name: leak.describe() + ": an outcome?" for name, leak in found.items()}

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """The features of a kind as they stand in a schema."""
        return [self.entry(kind, facts) for facts in self.kinds[kind].values()]

    def entry(self, kind: str, facts: ColumnFacts) -> dict[str, Any]:
        """One feature as it stands in a schema."""
        entry: dict[str, Any] = {"name": facts.name}
        if kind == "numeric" and facts.numbers is not None and facts.numbers.skewed:
            entry["transform"] = "log1p"
        if facts.lists is not None:
            if facts.lists.size is not None:
                entry["size"] = facts.lists.size
            if facts.lists.separator is not None:
                entry["separator"] = facts.lists.separator
            if facts.lists.brackets:
                entry["brackets"] = True
        if facts.name in self.weights:
            entry["weights"] = self.weights[facts.name]
        return entry


def _weights(facts: Sequence[ColumnFacts], sample: RowSample) -> tuple[dict[str, str], list[str]]:
    """Multi-valued columns with those of their weights, told by name; and those that do not fit."""
    bags = {f.name: f for f in facts if f.lists is not None}
    found: dict[str, str] = {}
    unfit = []
    for name in bags:
        for suffix in WEIGHT_SUFFIXES:
            base = name.removesuffix(suffix)
            if base == name or base not in bags or base in found:
                continue
            if _weigh(bags[base], name, sample):
                found[base] = name
            else:
                unfit.append(name)
    return found, unfit


def _weigh(bag: ColumnFacts, weights: str, sample: RowSample) -> bool:
    """Whether a column can weigh another: as many elements in each row, all of them numbers."""
    assert bag.lists is not None
    role = MultiCategorical(
        name=bag.name, separator=bag.lists.separator, brackets=bag.lists.brackets, weights=weights
    )
    try:
        found = to_bag(sample.frame[bag.name], sample.frame[weights], role)[1]
    except InputError:
        return False
    counts = [sample.lengths[n].fill_null(0) for n in (bag.name, weights) if n in sample.lengths]
    if len(counts) == 2 and bool((counts[0] != counts[1]).any()):
        return False
    return not any(bad.rows for kind, _, bad in found if kind != BRACKETS)
