"""A search as tables for a terminal."""

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from postclick.experiments.tuning.result import Tuning


def tables(found: "Tuning") -> list[Table]:
    """The defaults beside the best trial, setting by setting, with importance where it is known."""
    table = Table(
        title=f"{found.best.method}, {found.metric} on the validation split",
        title_justify="left",
    )
    table.add_column("setting", no_wrap=True)
    table.add_column("defaults", justify="right")
    table.add_column(f"best (trial {found.best_trial})", justify="right")
    if found.importance:
        table.add_column("importance", justify="right")
    default = "not complete" if found.default_value is None else f"{found.default_value:.6f}"
    more = [""] if found.importance else []
    table.add_row(found.metric, default, f"{found.value:.6f}", *more, style="bold")
    chosen = found.chosen
    for name in sorted(chosen, key=lambda n: -found.importance.get(n, 0.0)):
        more = [f"{found.importance.get(name, 0.0):.0%}"] if found.importance else []
        before, after = text(found.defaults[name]), text(chosen[name])
        table.add_row(name, before, "as before" if before == after else after, *more)
    return [table]


def footnotes(found: "Tuning") -> list[str]:
    """How many trials there were, and what the gain is worth."""
    counts = found.counts
    notes = [
        f"{sum(counts.values())} trials: "
        + ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        + "."
    ]
    if found.gain is not None:
        notes.append(
            f"gain over the defaults: {found.gain:.6f}. The best of many trials looks better on "
            "the rows it was chosen by than it is: judge it on the test split, with other seeds."
        )
    if not found.importance:
        notes.append("importance of settings: from ten complete trials on.")
    return notes


def text(value: Any) -> str:
    """A setting in short.

    >>> text(0.0012345), text((64, 32)), text(None)
    ('0.001234', '64-32', 'none')
    """
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return "-".join(text(part) for part in value) or "empty"
    return "none" if value is None else str(value)
