"""A judgement on a terminal: the answer, and tables that fit into 100 columns."""

from collections.abc import Sequence
from math import floor, log10

from rich.markup import escape
from rich.table import Table

from postclick.judging.predicted.result import JudgedLog, SegmentFigure
from postclick.metrics.catalogue import METRICS
from postclick.spelling import counted

# Metric, space and what the column is called; three of them with intervals fit side by side.
TABLES = (
    (
        "Clicked impressions",
        (("cvr_auc", "clicked"), ("cvr_nll", "clicked"), ("cvr_pcoc", "clicked")),
    ),
    (
        "All impressions, clicks",
        (("ctr_auc", "entire"), ("ctr_nll", "entire"), ("ctr_pcoc", "entire")),
    ),
    (
        "All impressions, conversions",
        (("ctcvr_auc", "entire"), ("ctcvr_nll", "entire"), ("ctcvr_pcoc", "entire")),
    ),
    (
        "Within groups",
        (("cvr_gauc", "clicked"), ("ctr_gauc", "entire"), ("ctcvr_gauc", "entire")),
    ),
    (
        "Known truth, all impressions",
        (("true_cvr_auc", "entire"), ("true_cvr_nll", "entire"), ("cvr_bias", "entire")),
    ),
)
QUANTITIES = {"cvr": "pCVR, clicked", "ctr": "pCTR", "ctcvr": "pCTCVR"}


def bold(judged: JudgedLog) -> str:
    """The sentence to act on."""
    return "" if judged.answer is None else judged.answer.sentence


def tables(judged: JudgedLog) -> list[Table]:
    """Figures with intervals, differences, segments, and the entire space."""
    made = [_figures(judged, title, pairs) for title, pairs in TABLES]
    shown = {pair for _, pairs in TABLES for pair in pairs}
    others = [
        (name, space)
        for name, figure in METRICS.items()
        for space in figure.spaces
        if (name, space) not in shown and "bias" not in name and not figure.needs_truth
    ]
    made += [_figures(judged, "Other metrics", others[k : k + 3]) for k in range(0, len(others), 3)]
    made.append(_differences(judged))
    features = dict.fromkeys(one.feature for one in judged.segments)
    made += [_segments(judged, feature) for feature in features]
    made.append(_entire(judged))
    if judged.randomised is not None:
        made += [
            _figures(judged.randomised, f"Randomised impressions: {title}", pairs)
            for title, pairs in TABLES[:3]
        ]
    return [table for table in made if table is not None]


def lines(judged: JudgedLog) -> list[str]:
    """What the answer rests on, and what a reader should know."""
    found = [] if judged.answer is None else list(judged.answer.details)
    for name, one in (judged.exposure or {}).items():
        found.append(f"{name}: {one['sentence']} {one['assumption']}")
    if judged.entire is not None:
        first = next(iter(judged.entire["models"].values()))
        estimators = first["estimators"]
        found.append(f"Propensity: {judged.entire['propensity']}.")
        found += [f"{name}: {one['assumption']}" for name, one in estimators.items()]
        for model, one in judged.entire["models"].items():
            found += [f"caution, {model}: {caution}" for caution in one["cautions"]]
    if judged.balance is not None:
        found.append(_balance(judged))
    return [*found, *(f"note: {one}" for one in judged.findings)]


def _figures(judged: JudgedLog, title: str, pairs: Sequence[tuple[str, str]]) -> Table | None:
    found = {
        (model, pair): judged.figure(model, *pair) for model in judged.models for pair in pairs
    }
    there = [p for p in pairs if any(found[m, p] is not None for m in judged.models)]
    if not there:
        return None
    table = Table(title=escape(title), title_justify="left")
    table.add_column("model", overflow="fold")
    for metric, _ in there:
        table.add_column(metric, justify="right", no_wrap=True)
    for model in judged.models:
        cells = []
        for pair in there:
            one = found[model, pair]
            if one is None:
                cells.append("")
            elif one.value is None:
                cells.append("undefined")
            else:
                cells.append(_with_ends(one.value, one.low, one.high))
        table.add_row(escape(model), *cells)
    return table


def _differences(judged: JudgedLog) -> Table | None:
    reference = judged.models[0]
    pairs = [pair for _, shown in TABLES for pair in shown]
    chosen = [
        one
        for one in judged.differences
        if one.against == reference and (one.metric, one.space) in pairs
    ]
    if not chosen:
        return None
    chosen.sort(key=lambda one: pairs.index((one.metric, one.space)))
    table = Table(title=escape(f"Gain over {reference}"), title_justify="left")
    for name in ("metric", "model"):
        table.add_column(name, overflow="fold")
    for name in ("gain", "interval", "p (Holm)", "could be seen"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in chosen:
        star = "*" if one.holm < 1 - judged.level and one.gain > 0 else ""
        table.add_row(
            one.metric,
            escape(one.model),
            f"{one.gain:+.4f}{star}",
            f"{one.low:+.4f} to {one.high:+.4f}",
            "<0.001" if one.holm < 0.001 else f"{one.holm:.3f}",
            f"{one.detectable:.4f}",
        )
    return table


def _segments(judged: JudgedLog, feature: str) -> Table | None:
    rows = [one for one in judged.segments if one.feature == feature]
    quantity = next((q for q in QUANTITIES if any(one.quantity == q for one in rows)), None)
    if quantity is None:
        return None
    shown = judged.models[:3]
    title = f"PCOC of {QUANTITIES[quantity]} by {feature}"
    if len(shown) < len(judged.models):
        title += ", first three models"
    table = Table(title=escape(title), title_justify="left")
    table.add_column(feature, overflow="fold")
    for name in ("rows", "clicks", "conv."):
        table.add_column(name, justify="right")
    for model in shown:
        table.add_column(escape(model), justify="right", no_wrap=True)
    by_value: dict[str, dict[str, SegmentFigure]] = {}
    for one in rows:
        if one.quantity == quantity:
            by_value.setdefault(one.value, {})[one.model] = one
    for value, models in by_value.items():
        first = next(iter(models.values()))
        counts = (f"{n:,}" for n in (first.rows, first.clicks, first.conversions))
        cells = []
        for model in shown:
            found = models.get(model)
            cells.append(
                "-"
                if found is None or found.pcoc is None
                else _with_ends(found.pcoc, found.low, found.high, 2)
            )
        table.add_row(escape(value), *counts, *cells)
    if judged.weighted:
        table.caption, table.caption_justify = "counts are of rows, PCOC is by weight", "left"
    return table


def _entire(judged: JudgedLog) -> Table | None:
    if judged.entire is None:
        return None
    table = Table(title="Entire space, estimated from clicks", title_justify="left")
    for name in ("model", "by"):
        table.add_column(name, overflow="fold")
    metrics = ("mean_cvr", "pcoc", "nll", "auc")
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
    for model, found in judged.entire["models"].items():
        for estimator in found["estimators"]:
            cells = []
            for metric in metrics:
                one = found["estimates"][metric][estimator]
                cells.append(
                    "-"
                    if one["value"] is None
                    else _with_ends(one["value"], one["low"], one["high"], 3)
                )
            table.add_row(escape(model), estimator, *cells)
    first = next(iter(judged.entire["models"].values()))
    table.caption = (
        f"{counted(first['clicked'], 'click counts', 'clicks count')} like "
        f"{first['effective_sample_size']:,.0f}; clipped at {first['clip']:g}: "
        f"{100 * first['clipped_share']:.1f} % of them"
    )
    table.caption_justify = "left"
    return table


def _balance(judged: JudgedLog) -> str:
    features = (judged.balance or {}).get("features", [])
    flagged = [one for one in features if one["flagged"]]
    told = ", ".join(
        f"{one['feature']} {abs(one['before']):.2f} -> {abs(one['after']):.2f}"
        for one in features[:3]
    )
    verdict = "balanced" if not flagged else f"{len(flagged)} of {len(features)} not balanced"
    return f"Placebo, largest SMD of clicks against all impressions, weighted: {told} ({verdict})."


def _with_ends(value: float, low: float | None, high: float | None, digits: int = 4) -> str:
    """A value and its interval, with two digits that count where both are small.

    >>> _with_ends(0.7382, 0.7312, 0.7461), _with_ends(0.0061, 0.0052, 0.0071, 3)
    ('0.7382 (0.731-0.746)', '0.0061 (0.0052-0.0071)')
    """
    size = max(abs(value), abs(low or 0.0), abs(high or 0.0))
    small = 0 < size < 0.1
    digits = max(digits, 1 - floor(log10(size))) if small else digits
    if low is None or high is None:
        return f"{value:.{digits}f}"
    short = digits if small else max(2, digits - 1)
    dash = "-" if low >= 0 else " to "
    return f"{value:.{digits}f} ({low:.{short}f}{dash}{high:.{short}f})"
