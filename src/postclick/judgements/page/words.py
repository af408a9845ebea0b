"""Figures in words: numbers with as many digits as count, intervals, and long values cut short."""

import math

from markupsafe import Markup, escape

from postclick.metrics.catalogue import METRICS
from postclick.metrics.metric import LABELS, PREDICTIONS

# Quantities in the order in which they are shown: what is predicted, and of which impressions.
QUANTITIES = {
    "cvr": "pCVR, clicked impressions",
    "ctr": "pCTR, all impressions",
    "ctcvr": "pCTCVR, all impressions",
}
RATES = {"cvr": "CVR", "ctr": "CTR", "ctcvr": "CTCVR"}
SPACES = {
    "clicked": "clicked impressions",
    "unclicked": "impressions that nobody clicked",
    "entire": "all impressions",
}
# Below tables that have both, where rows have weights.
UNWEIGHTED = "Rows, clicks and conversions are counted as recorded; rates and PCOC are by weight."
# Values of features are a user's own: of longer ones the middle is left out.
LONGEST = 80


def number(value: float | None, digits: int = 4) -> str:
    """A number with `digits` decimals, or three digits that count where it is very small.

    >>> number(0.73816), number(0.00001234), number(1234.5), number(None), number(float("inf"))
    ('0.7382', '1.23e-05', '1,234.5', '-', '∞')
    """
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 100:
        return f"{value:,.1f}"
    if 0 < abs(value) < 10.0 ** (1 - digits):
        return f"{value:.3g}"
    return f"{value:.{digits}f}"


def rate(value: float | None) -> str:
    """A mean of probabilities or labels, to four digits that count.

    >>> rate(0.0043216), rate(0.25), rate(0.0)
    ('0.004322', '0.2500', '0')
    """
    if value is None or math.isnan(value):
        return "-"
    return "0" if value == 0 else f"{value:#.4g}" if value >= 1e-4 else f"{value:.3g}"


def ends(low: float | None, high: float | None, digits: int = 4) -> str:
    """An interval; nothing where there is none.

    >>> ends(0.98, 1.031, 2), ends(None, None)
    ('0.98 to 1.03', '')
    """
    if low is None or high is None:
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def with_ends(
    value: float | None, low: float | None, high: float | None, digits: int = 2, none: str = "-"
) -> str:
    """A value with its interval.

    >>> with_ends(1.0234, 0.98, 1.07), with_ends(None, None, None)
    ('1.02 (0.98 to 1.07)', '-')
    """
    if value is None:
        return none
    between = ends(low, high, digits)
    return number(value, digits) + (f" ({between})" if between else "")


def percent(share: float | None) -> str:
    """A share as percent.

    >>> percent(0.0123), percent(0.00002), percent(0.0)
    ('1.2 %', '0.002 %', '0 %')
    """
    if share is None:
        return "-"
    many = 100 * share
    return f"{many:.1f} %" if abs(many) >= 0.1 else f"{many:.1g} %"


def off(value: float | None, low: float | None, high: float | None) -> str:
    """What a PCOC says of a level.

    >>> off(1.12, 1.04, 1.22), off(0.975, 0.96, 0.99), off(1.01, 0.98, 1.05), off(None, None, None)
    ('12 % too high', '2.5 % too low', 'right within noise', 'undefined')
    """
    if value is None:
        return "undefined"
    if low is None or high is None:
        return "no interval"
    if low <= 1 <= high:
        return "right within noise"
    side = "high" if value > 1 else "low"
    many = 100 * abs(value - 1)
    return f"{f'{many:.0f}' if many >= 9.5 else f'{many:.2g}'} % too {side}"


def shortened(text: str, longest: int = LONGEST) -> str:
    """A long text without its middle.

    >>> shortened("a" * 50 + "b" * 50, 12)
    'aaaaaaaa…bbb'
    """
    if len(text) <= longest:
        return text
    behind = longest // 4
    return f"{text[: longest - behind - 1]}…{text[-behind:]}"


def definition(metric: str) -> str:
    """Of a metric, with which direction is better; nothing for one that is not registered.

    >>> definition("cvr_pcoc")
    'sum of pCVR / recorded conversions; 1 is right'
    """
    figure = METRICS.get(metric)
    if figure is None:
        return ""
    if figure.target is not None:
        return f"{figure.definition}; {figure.target:g} is right"
    return f"{figure.definition}; {'higher' if figure.higher_is_better else 'lower'} is better"


def title_of(quantity: str, space: str) -> str:
    """What the figures of a quantity on a space compare.

    >>> title_of("cvr", "clicked")
    'Clicked impressions: pCVR against recorded conversions'
    """
    where = SPACES[space]
    return (
        f"{where[0].upper()}{where[1:]}: {PREDICTIONS[quantity]} against "  # type: ignore[index]
        f"{LABELS[quantity]}"  # type: ignore[index]
    )


def ticked(text: str) -> Markup:
    """Text in which names stand in backticks, as they do in sentences, with the names marked.

    >>> ticked("Keep `a<b`: 2 % off.")
    Markup('Keep <code>a&lt;b</code>: 2 % off.')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    marked = (
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part)
        for k, part in enumerate(parts)
    )
    return Markup("").join(marked)


def listed(names: list[str]) -> str:
    """Names in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
