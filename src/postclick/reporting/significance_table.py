"""Every method against the best over seeds: gain, interval, effect size and three tests."""

from postclick.reporting.folder import Part
from postclick.reporting.ranking import rank
from postclick.reporting.tables import Column, Table, Value, words
from postclick.stats.significance import Significance

COLUMNS = (
    Column("method", numeric=False),
    Column("gain", "over the best"),
    Column("95 % interval", "t, over seeds"),
    Column("effect size", "d_z", hint="gain over the standard deviation of its pairs"),
    Column("paired t", "p, Holm"),
    Column("Wilcoxon", "p, Holm", hint="with 5 seeds a single p cannot be below .0625"),
    Column("Welch", "p, Holm", hint="does not use that seeds are paired"),
)


def significance_table(part: Part, metric: str, space: str) -> Table | None:
    """Methods against the one with the best mean by a metric; `None` with one method or seed."""
    ranking = rank(part.summary, part.results, metric, space)
    if ranking is None or part.summary.seeds < 2:
        return None
    rows = tuple(_row(rival.test) for rival in ranking.rivals)
    title = f"{part.title}: {metric} ({space}) against {ranking.best}, over seeds"
    return Table(title, COLUMNS, rows) if rows else None


def _row(one: Significance) -> tuple[Value, ...]:
    interval = Value("-")
    if one.low is not None and one.high is not None:
        interval = Value(f"{one.low:+.4f} to {one.high:+.4f}", one.low)
    return (
        words(one.method),
        Value("-") if one.gain is None else Value(f"{one.gain:+.4f}", one.gain),
        interval,
        Value("-") if one.effect_size is None else Value(f"{one.effect_size:.2f}", one.effect_size),
        _p(one.paired_holm, one.paired.undefined),
        _p(one.wilcoxon_holm, one.wilcoxon.undefined),
        _p(one.welch_holm, one.welch.undefined),
    )


def _p(value: float | None, reason: str | None) -> Value:
    if value is None:
        return Value("-", hint=reason or "")
    return Value("< 0.001" if value < 0.001 else f"{value:.3f}", value)
