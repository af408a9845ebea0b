"""A judgement as a notebook shows it: the answer, and the main figures."""

from __future__ import annotations

from html import escape
from typing import Any

from postclick.spelling import counted

# Shown where a model has them.
MAIN = (
    *(("cvr_auc", "clicked"), ("cvr_nll", "clicked"), ("cvr_pcoc", "clicked")),
    *(("ctr_auc", "entire"), ("ctr_pcoc", "entire")),
    *(("ctcvr_auc", "entire"), ("ctcvr_pcoc", "entire")),
)


def notebook_html(judged: Any) -> str:
    """A `JudgedLog` as a fragment of HTML without styles or scripts; all its text is escaped."""
    counts = ", ".join(
        (
            counted(judged.rows, "row" if judged.weighted else "impression"),
            counted(judged.clicks, "click"),
            counted(judged.conversions, "conversion"),
        )
    )
    parts = [f"<p><strong>{_marked(judged.answer.sentence)}</strong></p>"] if judged.answer else []
    parts.append(_table(judged))
    whose = "groups" if judged.unit == "group" else "rows"
    parts.append(
        f"<p><small>{escape(judged.log)}: {counts}; intervals of {100 * judged.level:g} % over "
        f"{whose}.</small></p>"
    )
    return "".join(parts)


def _table(judged: Any) -> str:
    shown = [pair for pair in MAIN if any(judged.figure(m, *pair) for m in judged.models)]
    head = "".join(f"<th>{metric}</th>" for metric, _ in shown)
    rows = "".join(
        f"<tr><th>{escape(model)}</th>"
        + "".join(f"<td>{_cell(judged.figure(model, *pair))}</td>" for pair in shown)
        + "</tr>"
        for model in judged.models
    )
    return f"<table><thead><tr><th>model</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(one: Any) -> str:
    if one is None:
        return ""
    if one.value is None:
        return f'<span title="{escape(one.undefined or "")}">undefined</span>'
    if one.low is None or one.high is None:
        return f"{one.value:.4f}"
    return f"{one.value:.4f}<br/><small>{one.low:.4f} to {one.high:.4f}</small>"


def _marked(sentence: str) -> str:
    """A sentence whose names stand in backticks, with these marked as code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return escape(sentence)
    return "".join(
        f"<code>{escape(part)}</code>" if k % 2 else escape(part) for k, part in enumerate(parts)
    )
