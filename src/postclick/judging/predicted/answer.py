"""The one sentence to act on, and the few that it rests on, from a judgement's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postclick.judging.predicted.result import (
    Answer,
    Difference,
    Figure,
    JudgedLog,
    SegmentFigure,
)
from postclick.spelling import counted

# What models are compared by: the first of these that two or more of them have.
PRIMARY = (("cvr_auc", "clicked"), ("ctcvr_auc", "entire"), ("ctr_auc", "entire"))
NAMES = {"cvr_auc": "CVR-AUC", "ctcvr_auc": "CTCVR-AUC", "ctr_auc": "CTR-AUC"}
# A segment is named where its PCOC is off beyond noise and rests on so many conversions.
LEAST = 20
# Models whose differences are listed, the best first.
NAMED_AT_MOST = 4


def answer_of(judged: JudgedLog, against: str | None = None) -> Answer:
    """What to ship, and what to do about it.

    Args:
        against: the model that others have to beat; by default the first, the simplest.
    """
    reference = against or judged.models[0]
    primary = _primary(judged)
    if len(judged.models) == 1 or primary is None:
        return _of_one(judged, reference)
    metric, space = primary
    values = {
        name: value
        for name in judged.models
        if (value := judged.value(name, metric, space)) is not None
    }
    if reference not in values:
        reference = next(iter(values))
    best = max(values, key=lambda name: values[name])
    beats = _pairs(judged.differences, metric, space, model=best)
    over = _pairs(judged.differences, metric, space, against=reference)
    alpha = 1 - judged.level
    winners = {name: one for name, one in over.items() if _beaten(one, alpha)}
    alone = bool(beats) and all(_beaten(one, alpha) for one in beats.values())
    name = NAMES[metric]
    if _alike(over):
        first = f"All models predict alike ({name} {values[best]:.4f}). Keep `{reference}`"
        ship, supported = reference, False
    elif best == reference and alone:
        nearest = min(beats.values(), key=lambda one: one.gain)
        first = f"Keep `{best}`: {_gain(nearest, name)} over the nearest, `{nearest.against}`"
        ship, supported = best, True
    elif best in winners:
        # Of those that cannot be told apart by rank, the one with the better probabilities.
        close = [m for m in winners if m == best or not _beaten(beats[m], alpha)]
        ship = min(close, key=lambda m: (_loss(judged, m), -values[m]))
        rivals = [m for m in close if m != ship]
        first = f"Ship `{ship}`: {_gain(winners[ship], name)} over `{reference}`"
        if rivals:
            first += f"; {_named(rivals)} cannot be told from it by rank"
        supported = True
    elif winners:
        ship = max(winners, key=lambda one: values[one])
        first = f"Ship `{ship}`: {_gain(winners[ship], name)} over `{reference}`"
        supported = True
    elif not over:
        first = f"On {_count(judged, metric)} models cannot be told apart. Keep `{reference}`"
        ship, supported = reference, False
    else:
        conversions = _count(judged, metric)
        seen = min((one.detectable for one in over.values()), default=0.0)
        first = (
            f"No model is better than `{reference}` beyond noise on {conversions} "
            f"(difference in {name} that could have been seen: {_short(seen)}). "
            f"Keep `{reference}`"
        )
        ship, supported = reference, False
    worse = _worse_loss(judged, ship, reference, alpha)
    sentence = f"{first}. {worse}{_calibration(judged, ship)}".strip()
    return Answer(sentence, ship, supported, tuple(_details(judged, ship, reference, primary)))


def _of_one(judged: JudgedLog, name: str) -> Answer:
    told = _calibration(judged, name)
    primary = _primary(judged)
    found = None if primary is None else judged.figure(name, *primary)
    ranks = ""
    if found is not None and found.value is not None and primary is not None:
        ranks = f" {NAMES[primary[0]]} is {found.value:.3f}{_ends(found)}."
    return Answer(f"{told}{ranks}".strip(), name, False, tuple(_details(judged, name, name, None)))


def _alike(over: Mapping[str, Difference]) -> bool:
    return bool(over) and all(o.gain == 0 and o.standard_error == 0 for o in over.values())


def _loss(judged: JudgedLog, name: str) -> float:
    """The NLL of its pCVR; infinite without one."""
    value = judged.value(name, "cvr_nll", "clicked")
    return float("inf") if value is None else value


def _worse_loss(judged: JudgedLog, ship: str, reference: str, alpha: float) -> str:
    """A warning where what is shipped ranks better and has the worse probabilities."""
    found = _pairs(judged.differences, "cvr_nll", "clicked", against=reference).get(ship)
    if found is None or found.gain >= 0 or found.holm >= alpha:
        return ""
    return (
        f"But its probabilities are worse: {-found.gain:.4f} more CVR-NLL ({-found.high:.4f} to "
        f"{-found.low:.4f}); calibrate it before they set a price. "
    )


def _primary(judged: JudgedLog) -> tuple[str, str] | None:
    wanted = min(2, len(judged.models))
    for metric, space in PRIMARY:
        having = [m for m in judged.models if judged.value(m, metric, space) is not None]
        if len(having) >= wanted:
            return metric, space
    return None


def _calibration(judged: JudgedLog, name: str) -> str:
    """Whether the level of its predictions is right, in a sentence."""
    for metric, told in (("cvr_pcoc", "pCVR"), ("ctcvr_pcoc", "pCTCVR"), ("ctr_pcoc", "pCTR")):
        found = judged.figure(name, metric)
        if found is None or found.value is None:
            continue
        whose = f"The {told} of `{name}`"
        if found.low is None or found.high is None:
            told = f"{whose} has a PCOC of {found.value:.2f}"
            return f"{told}, on too few rows or groups for an interval."
        if found.low <= 1 <= found.high:
            return (
                f"{whose} is right on average within noise (PCOC {found.value:.2f}{_ends(found)})."
            )
        off = abs(found.value - 1.0)
        side = "high" if found.value > 1 else "low"
        return (
            f"{whose} is {_percent(off)} % too {side} (PCOC {found.value:.2f}{_ends(found)}): "
            "calibrate."
        )
    return (
        f"There {'is' if judged.conversions == 1 else 'are'} "
        f"{counted(judged.conversions, 'conversion')} and {counted(judged.clicks, 'click')}: no "
        "level can be judged."
    )


def _details(
    judged: JudgedLog, ship: str, reference: str, primary: tuple[str, str] | None
) -> list[str]:
    found = []
    if primary is not None and len(judged.models) > 1:
        metric, space = primary
        over = _pairs(judged.differences, metric, space, against=reference)
        shown = sorted(over.items(), key=lambda pair: -pair[1].gain)
        listed = ", ".join(
            f"`{name}` {one.gain:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
            for name, one in shown[:NAMED_AT_MOST]
        )
        if len(shown) > NAMED_AT_MOST:
            listed += f", and {counted(len(shown) - NAMED_AT_MOST, 'other')} below them"
        if over:
            seen = ", ".join(f"{_short(o.detectable)} for `{m}`" for m, o in shown[:NAMED_AT_MOST])
            found.append(
                f"{NAMES[metric]} against `{reference}`: {listed}. True differences that such rows "
                f"show four times in five: {seen}."
            )
    worst = worst_segments(judged, ship)
    if worst:
        found.append(
            f"Where `{ship}` is farthest off: "
            + "; ".join(
                f"{one.feature} = {one.value}, PCOC {one.pcoc:.2f} ({one.low:.2f} to "
                f"{one.high:.2f}, {counted(one.conversions, 'conversion')})"
                for one in worst
            )
            + "."
        )
    found.append(
        f"Intervals of {100 * judged.level:.0f} % over "
        + ("groups of rows" if judged.unit == "group" else "rows, taken as independent")
        + f": {counted(judged.rows, 'row' if judged.weighted else 'impression')}, "
        f"{counted(judged.clicks, 'click')}, {counted(judged.conversions, 'conversion')}"
        + (", whatever rows weigh." if judged.weighted else ".")
    )
    return found


def worst_segments(judged: JudgedLog, model: str, most: int = 3) -> list[SegmentFigure]:
    """The segments whose PCOC of pCVR is farthest from 1 beyond noise, the worst first."""
    off = [
        one
        for one in judged.segments
        if one.model == model
        and one.quantity == "cvr"
        and one.conversions >= LEAST
        and one.pcoc
        and one.low is not None
        and one.high is not None
        and not one.low <= 1 <= one.high
    ]
    return sorted(off, key=lambda one: -max(one.pcoc or 1, 1 / (one.pcoc or 1)))[:most]


def _pairs(
    differences: Sequence[Difference],
    metric: str,
    space: str,
    *,
    model: str | None = None,
    against: str | None = None,
) -> dict[str, Difference]:
    """Differences of one model to all others, or of all others to one, by the other."""
    return {
        one.against if model is not None else one.model: one
        for one in differences
        if (one.metric, one.space) == (metric, space)
        and model in (None, one.model)
        and against in (None, one.against)
    }


def _beaten(one: Difference, alpha: float) -> bool:
    return one.gain > 0 and one.holm < alpha


def _gain(one: Difference, name: str) -> str:
    return f"{one.gain:+.4f} {name} ({one.low:+.4f} to {one.high:+.4f})"


def _ends(found: Figure) -> str:
    if found.low is None or found.high is None:
        return ""
    return f", {found.low:.2f} to {found.high:.2f}"


def _count(judged: JudgedLog, metric: str) -> str:
    if metric == "ctr_auc":
        return counted(judged.clicks, "click")
    return counted(judged.conversions, "test conversion")


def _short(value: float) -> str:
    """Two digits that count.

    >>> _short(0.0312), _short(0.00456)
    ('0.031', '0.0046')
    """
    return f"{value:.2g}"


def _percent(share: float) -> str:
    """Whole, or below 10 of two digits.

    >>> _percent(1.234), _percent(0.1404), _percent(0.0312)
    ('123', '14', '3.1')
    """
    return f"{100 * share:.0f}" if share >= 0.095 else _short(100 * share)


def _named(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
