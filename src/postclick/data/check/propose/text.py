"""A draft as YAML, each line with its reason."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from postclick.data.check.propose.comments import MANY_VALUES, comment
from postclick.data.check.propose.draft import KINDS, Draft
from postclick.data.check.propose.facts import ColumnFacts
from postclick.data.check.propose.roles import guess_group
from postclick.data.read.values.value_rules import DEFAULT_MISSING
from postclick.data.schema import Label, ReadSettings

WIDTH = 96


def quoted(text: str) -> str:
    """Text as a YAML value that is read as that text.

    >>> quoted("shop"), quoted("yes"), quoted("a: b")
    ('shop', '"yes"', '"a: b"')
    """
    plain = re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and yaml.safe_load(text) == text
    if plain:
        return text
    dumped = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return dumped.removesuffix("\n")


def label_text(label: Label) -> str:
    """A label as a YAML value.

    >>> label_text(Label.model_validate({"column": "paid", "positive": "> 0"}))
    '{column: paid, positive: "> 0"}'
    """
    if label.positive is None:
        return quoted(label.column)
    if label.rule is None:
        return f"{{column: {quoted(label.column)}}}"
    return f"{{column: {quoted(label.column)}, positive: {json.dumps(label.positive)}}}"


def draft_lines(draft: Draft, facts: Mapping[str, ColumnFacts]) -> list[str]:
    """The YAML of the columns that are neither labels nor truth."""
    lines: list[str] = []
    for kind in KINDS:
        columns = draft.kinds[kind]
        lines += [f"{kind}:"] if columns else []
        for column in columns.values():
            lines += _feature(draft.entry(kind, column), comment(kind, column))
    if draft.ignored:
        lines.append("ignore:")
        lines += [f"  - {quoted(name)}  # {why}" for name, why in draft.ignored.items()]
    if draft.time is not None:
        lines.append(f"time: {quoted(draft.time)}")
    lines += _suggestions(draft, facts)
    return lines


def read_lines(read: ReadSettings) -> list[str]:
    """How text files are written, as far as that is told.

    >>> read_lines(ReadSettings(separator=";", decimal=","))
    ['read:', '  separator: ";"', '  decimal: ","']
    """
    told: dict[str, Any] = read.model_dump(exclude_defaults=True, exclude_none=True, mode="json")
    values = {key: _flow(value) for key, value in told.items()}
    return ["read:", *(f"  {key}: {value}" for key, value in values.items())] if values else []


def _flow(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(quoted, value)) + "]"
    return quoted(value)


def _feature(entry: Mapping[str, Any], said: str) -> list[str]:
    name = quoted(entry["name"])
    if len(entry) == 1:
        return [f"  - {name}  # {said}"]
    lines = [f"  - name: {name}  # {said}"]
    for key, value in entry.items():
        if key == "transform":
            lines.append(f"    {key}: {value}  # a few values are far above the others")
        elif key != "name":
            text = json.dumps(value) if key != "weights" else quoted(value)
            lines.append(f"    {key}: {text}")
    return lines


def _suggestions(draft: Draft, facts: Mapping[str, ColumnFacts]) -> list[str]:
    """What is missing, and settings that change results and are not chosen."""
    lines = []
    categories = draft.kinds["categorical"].values()
    odd = list(dict.fromkeys(text for column in categories for text in column.like_missing))
    if draft.missing is not None:
        numbers = [f for f in draft.kinds["numeric"].values() if f.numbers and f.numbers.odd]
        why = f"the defaults, and text but for which {quoted(numbers[0].name)} is numeric"
        lines += [f"missing:  # {why}", *_wrapped(draft.missing, "  ")]
    elif odd:
        known = [t for f in draft.kinds["numeric"].values() if f.numbers for t in f.numbers.known]
        tokens = list(dict.fromkeys([*DEFAULT_MISSING, *known, *odd]))
        lines.append("# missing:  # would make what looks like a missing value one")
        lines += _wrapped(tokens, "#   ")
    if draft.sample_weight is not None:
        name = quoted(draft.sample_weight)
        why = "would weigh rows in losses and metrics: take it out of ignore then"
        lines.append(f"# weight: {name}  # {why}")
    if draft.exposure is not None:
        name = quoted(draft.exposure)
        why = "would move pCTR and never pCVR: take it out of ignore then"
        lines.append(f"# exposure: {name}  # {why}")
    group = guess_group([f for name, f in facts.items() if _may_group(draft, name)])
    if group is not None:
        why = "would compute metrics within its values too"
        lines.append(f"# group: {quoted(group.name)}  # {why}")
    if any(column.distinct > MANY_VALUES for column in categories):
        lines.append("# min_count: 5  # would let rarer values share one id")
    return lines


def _may_group(draft: Draft, name: str) -> bool:
    named = "does not come again" in draft.ignored.get(name, "")
    return named or name in draft.kinds["categorical"] or name in draft.kinds["numeric"]


def _wrapped(tokens: Sequence[str], indent: str) -> list[str]:
    """A YAML list over several lines."""
    lines, line = [], indent + "["
    for k, token in enumerate(tokens):
        text = json.dumps(token, ensure_ascii=False) + ("]" if k == len(tokens) - 1 else ",")
        if len(line) + len(text) + 1 > WIDTH:
            lines.append(line)
            line = indent + " "
        line += text if line.endswith("[") or line == indent + " " else " " + text
    return [*lines, line]
