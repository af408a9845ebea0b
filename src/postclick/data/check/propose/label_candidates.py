"""The error where labels cannot be told: what they might be, and the command to go on with."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.label_rules import Asked
from postclick.data.check.propose.names import (
    BEFORE_WORDS,
    CLICK_WORDS,
    CONVERSION_WORDS,
    REACTIONS,
    outcome_name,
)
from postclick.data.read.log_source import LogSource
from postclick.data.schema import ReadSettings
from postclick.errors import InputError
from postclick.spelling import counted

NAMED = 5  # candidates for each label
SPARSE = 0.5  # of the rows, from which a column without a value may say that nothing happened


def cannot_tell(
    source: LogSource,
    others: Sequence[ColumnFacts],
    click: Asked | None,
    conversion: Asked | None,
    read: ReadSettings,
) -> InputError:
    """The error that names candidates for the labels that were not given.

    Args:
        read: how the log was said to be read, which the command has to say again.
    """
    clicks = _ranked(others, CLICK_WORDS) if click is None else []
    best = clicks[0][0] if clicks else None
    rest = [f for f in others if f.name != best]
    conversions = _ranked(rest, CONVERSION_WORDS) if conversion is None else []
    wanted = [
        *(["click"] if click is None else []),
        *(["conversion"] if conversion is None else []),
    ]
    found = [f"for {w} {_listed(c)}" for w, c in (("click", clicks), ("conversion", conversions))]
    listed = [text for text, asked in zip(found, (click, conversion), strict=True) if not asked]
    names = (
        click.column if click else best or "CLICK",
        conversion.column if conversion else conversions[0][0] if conversions else "CONVERSION",
    )
    paths = [str(file) for file in source.files]
    log = shlex.quote(source.name) if source.name in paths else "LOG"
    command = f"postclick check --propose {log}"
    told = read.model_dump(exclude_defaults=True, exclude_none=True)
    command += "".join(f" --read {shlex.quote(_setting(*one))}" for one in told.items())
    command += "".join(
        f" --{option} {shlex.quote(name)}"
        for option, name in zip(("click", "conversion"), names, strict=True)
    )
    which = "column" if len(wanted) == 1 else "columns"
    return InputError(
        f"{source.name}: cannot tell the {' and '.join(wanted)} {which}: {'; '.join(listed)}: "
        f"go on with {command}, or with other columns that are 0/1, counts, amounts or times"
    )


def _setting(key: str, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def _ranked(facts: Sequence[ColumnFacts], words: frozenset[str]) -> list[tuple[str, str]]:
    """Names and what they hold, the likeliest first: 0/1, then by name, then how rarely."""
    conversion = words is CONVERSION_WORDS
    found = []
    for f in facts:
        binary = f.label is not None
        named = bool(f.words & words) and not f.words & BEFORE_WORDS
        likely = named or outcome_name(f.name, binary=binary) or bool(f.words & REACTIONS)
        count, how = _positives(f)
        sparse = 0 < count <= SPARSE * f.rows
        if not 0 < count < f.rows or not (binary or named or (conversion and sparse and likely)):
            continue
        # Clicks are many and conversions few.
        order = (not named, not binary, count if conversion else -count)
        found.append((order, f.name, f"{how} {count:,} of {counted(f.rows, 'row')}"))
    return [(name, how) for _, name, how in sorted(found)]


def _positives(facts: ColumnFacts) -> tuple[int, str]:
    """Rows in which the label would be 1, and what it would mean."""
    if facts.label is not None:
        return int(facts.label.sum()), "1 in"
    if facts.numbers is not None and facts.form in ("whole", "real"):
        return facts.numbers.above, "above 0 in"
    if facts.form in ("time", "text", "odd date"):
        return facts.present - facts.like_missing.total(), "has a value in"
    return 0, ""


def _listed(candidates: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{name!r} ({how})" for name, how in candidates[:NAMED])
    more = f" and {len(candidates) - NAMED} more" if len(candidates) > NAMED else ""
    return f"there are {named}{more}" if named else "there is none that looks like it"
