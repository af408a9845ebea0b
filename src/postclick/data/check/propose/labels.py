"""Which columns are click and conversion: told by their owner, or by name and funnel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.label_candidates import cannot_tell
from postclick.data.check.propose.label_rules import Asked, LabelDraft, ask, draft_label
from postclick.data.check.propose.names import BEFORE_WORDS, CLICK_WORDS, CONVERSION_WORDS
from postclick.data.read.log_source import LogSource
from postclick.data.read.values.value_rules import ValueRules
from postclick.data.schema import ReadSettings
from postclick.errors import InputError

MIN_FUNNEL = 20  # conversions that must all be clicked before a nameless column is believed


@dataclass(frozen=True)
class Labels:
    """The two labels, and how they were told."""

    click: LabelDraft
    conversion: LabelDraft
    why: str

    @property
    def clickless(self) -> int:
        """Conversions without a click."""
        return int((self.conversion.values > self.click.values).sum())


def find_labels(
    source: LogSource,
    sample: pl.DataFrame,
    facts: Mapping[str, ColumnFacts],
    click: str | None,
    conversion: str | None,
    read: ReadSettings,
) -> Labels:
    """The labels that `click` and `conversion` name, and for None those that can be told.

    Raises:
        InputError: there is no such column, it cannot be a label, or a label cannot be told; the
            message then names candidates and a command to go on with.
    """
    rules = ValueRules(decimal=read.decimal or ".")
    asked = [None if name is None else ask(name, source) for name in (click, conversion)]
    if asked[0] is not None and asked[0] == asked[1]:
        raise InputError(
            f"{source.name}: --click and --conversion are the same column "
            f"{asked[0].column!r}: name two"
        )
    taken = {one.column for one in asked if one is not None}
    others = [f for f in facts.values() if f.name not in taken]
    first, second = asked
    why = "named"
    if first is None or second is None:
        guessed = _guess(others, *(_known(one, facts) for one in asked))
        if guessed is None:
            raise cannot_tell(source, others, first, second, read)
        names, why = guessed
        first = first or Asked(names[0])
        second = second or Asked(names[1])
    clicked = draft_label(source, sample[first.column], facts[first.column], first, rules, None)
    column = sample[second.column]
    bought = draft_label(source, column, facts[second.column], second, rules, clicked)
    return Labels(clicked, bought, why)


def _known(asked: Asked | None, facts: Mapping[str, ColumnFacts]) -> ColumnFacts | None:
    return None if asked is None else facts[asked.column]


def _guess(
    others: Sequence[ColumnFacts], click: ColumnFacts | None, conversion: ColumnFacts | None
) -> tuple[tuple[str, str], str] | None:
    """Names of click and conversion, and how they were told."""
    binary = [f for f in others if _ones(f)]
    some = [f for f in binary if _ones(f) < f.rows]
    full = [f for f in some if _complete(f)]
    clicks = [click] if click is not None else _named(some, CLICK_WORDS)
    conversions = [conversion] if conversion is not None else _named(binary, CONVERSION_WORDS)
    pairs = [(a, b) for a in clicks for b in conversions if a is not b]
    why = "their names"
    if not pairs:  # one of the two has a name: the funnel may tell the other
        pairs = [(a, b) for a in clicks for b in binary if a is not b and _inside(b, a)]
        pairs += [(a, b) for b in conversions for a in full if a is not b and _inside(b, a)]
        pairs = pairs if len(pairs) == 1 else []
        why = "one name and by the other being 1 only where that is, or the reverse"
    if not pairs:
        return None
    best = min(pairs, key=lambda pair: _clickless(*pair) > 0.01 * _ones(pair[1]))
    return (best[0].name, best[1].name), why


def _named(facts: Sequence[ColumnFacts], words: frozenset[str]) -> list[ColumnFacts]:
    found = [f for f in facts if f.words & words]
    return sorted(found, key=lambda f: (bool(f.words & BEFORE_WORDS), len(f.words)))


def _complete(facts: ColumnFacts) -> bool:
    return facts.label is not None and facts.label.null_count() == 0


def _ones(facts: ColumnFacts) -> int:
    return int(facts.label.sum()) if facts.label is not None else 0


def _clickless(click: ColumnFacts, conversion: ColumnFacts) -> int:
    if click.label is None or conversion.label is None:
        return 0
    return int((conversion.label.fill_null(0) > click.label.fill_null(0)).sum())


def _inside(conversion: ColumnFacts, click: ColumnFacts) -> bool:
    if conversion.label is None or click.label is None:
        return False
    few = _ones(conversion)
    return MIN_FUNNEL <= few < _ones(click) and _clickless(click, conversion) == 0
