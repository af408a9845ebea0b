"""The exposure test in words: what was found, and what has to hold for it."""

from postclick.judging.exposure.result import ExposureTest, ExposureValue
from postclick.spelling import counted


def sentence(found: ExposureTest) -> str:
    """What was found, with the figures that say it.

    >>> sentence(ExposureTest("slot", "numeric", 0.95, 0, 0, 0, None, (), None, None,
    ...                       "untested", None, None, "no row is clicked"))
    'No test of an unseen cause by slot: no row is clicked.'
    """
    if found.verdict == "untested":
        return f"No test of an unseen cause by {found.name}: {found.undefined}."
    if found.verdict == "none":
        start = f"No sign of an unseen cause by {found.name} ({probability(found.p)})"
        return f"{start}: {_ends(found)}.{_power(found)}"
    if found.verdict == "uneven":
        return _uneven(found)
    wrong = "high" if found.verdict == "too_high" else "low"
    way = "" if found.verdict == "too_high" else ", in opposite directions"
    # A model that is off among the clicked is off by that elsewhere, too.
    calibrated = found.pcoc is not None and abs(found.pcoc - 1.0) < 0.05
    which = "pCVR" if calibrated else "pCVR, once it is calibrated on clicks,"
    return (
        f"{_capital(_ends(found))}, overall {_pcoc(found.pcoc)} ({probability(found.p)}): "
        f"something the model does not see drives both clicks and conversions{way}; {which} is "
        f"too {wrong} for impressions that nobody clicked."
    )


def assumption(name: str, by_ctr: bool, randomised: bool) -> str:
    """What has to hold for the verdict.

    >>> assumption("position", by_ctr=True, randomised=True)
    'Right if position itself does not move conversions; it was assigned at random.'
    """
    random = (
        "it was assigned at random"
        if randomised
        else f"and if {name} is as good as random given the model's features"
    )
    mark = ";" if randomised else ","
    order = (
        ""
        if by_ctr
        else f" Lower values of {name} are taken to get more clicks: give click rates to know."
    )
    return f"Right if {name} itself does not move conversions{mark} {random}.{order}"


def probability(p: float | None) -> str:
    """`p = 0.012`.

    >>> probability(0.0123), probability(0.00001), probability(0.4321)
    ('p = 0.012', 'p < 0.001', 'p = 0.43')
    """
    if p is None:
        return "no p"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _uneven(found: ExposureTest) -> str:
    assert found.omnibus is not None
    if found.trend is None:
        order = "; without click rates its values have no order, so the cause stays open"
    else:
        order = f", but not in the order of clicks ({probability(found.trend.p)})"
    worst = [one for one in found.values if one.pcoc]
    low, high = (side(worst, key=lambda one: one.pcoc or 0.0) for side in (min, max))
    return (
        f"pCVR is off by {found.name} ({probability(found.omnibus.p)}){order}: {_at(found, low)}, "
        f"{_at(found, high)}. {_capital(found.name)} itself may move conversions, or go with "
        "something the model does not read."
    )


def _ends(found: ExposureTest) -> str:
    """The values that get most and fewest clicks, or first and last."""
    values = [one for one in found.values if one.value != "(missing)"]
    if found.trend is not None and found.trend.ordering == "ctr":
        values = sorted(values, key=lambda one: -(one.ctr or 0.0))
    return f"{_at(found, values[0])}, {_at(found, values[-1])}"


def _at(found: ExposureTest, one: ExposureValue) -> str:
    ctr = "" if one.ctr is None else f" (CTR {one.ctr:.3g})"
    return f"at {found.name} {one.value}{ctr} PCOC {_pcoc(one.pcoc)}"


def _pcoc(pcoc: float | None) -> str:
    return "undefined (no conversion)" if pcoc is None else f"{pcoc:.2f}"


def _power(found: ExposureTest) -> str:
    if found.power is None:
        return ""
    return (
        f" With {counted(found.conversions, 'conversion')} and these click rates, a cause as "
        f"strong as in the simulated world `hidden` would be found in {100 * found.power:.0f} % of "
        "cases."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
