"""What is said of each verdict."""

from dataclasses import replace

import pytest

from postclick.judging.exposure import ExposureTest, ExposureValue, Omnibus, Trend
from postclick.judging.exposure.words import assumption, sentence

VALUES = (
    ExposureValue("1", 900, 90, 0.12, 0.118, 0.1, 1.18, 1.0, 1.4),
    ExposureValue("2", 500, 50, 0.06, 0.1, 0.1, 1.0, 0.8, 1.2),
    ExposureValue("10", 200, 20, 0.02, 0.081, 0.1, 0.81, 0.6, 1.1),
)
FOUND = ExposureTest(
    name="position", kind="numeric", level=0.95, rows=1600, conversions=1234, units=1500, pcoc=1.02,
    values=VALUES, trend=Trend("ctr", 3.3, 0.00097, 1.2, 0.36, 0.5, 1.9),
    omnibus=Omnibus(11.0, 2, 0.004), verdict="too_high", power=0.791, detectable=1.0,
    undefined=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "At position 1 (CTR 0.12) PCOC 1.18, at position 10 (CTR 0.02) PCOC 0.81, overall 1.02 "
            "(p < 0.001): something the model does not see drives both clicks and conversions; "
            "pCVR is too high for impressions that nobody clicked.",
        ),
        (
            {"pcoc": 0.9},
            "At position 1 (CTR 0.12) PCOC 1.18, at position 10 (CTR 0.02) PCOC 0.81, overall 0.90 "
            "(p < 0.001): something the model does not see drives both clicks and conversions; "
            "pCVR, once it is calibrated on clicks, is too high for impressions that nobody "
            "clicked.",
        ),
        (
            {"verdict": "too_low", "values": VALUES[::-1]},
            "At position 1 (CTR 0.12) PCOC 1.18, at position 10 (CTR 0.02) PCOC 0.81, overall 1.02 "
            "(p < 0.001): something the model does not see drives both clicks and conversions, in "
            "opposite directions; pCVR is too low for impressions that nobody clicked.",
        ),
        (
            {"verdict": "none", "trend": Trend("ctr", 0.8, 0.4237, 0.2, 0.3, -0.4, 0.8)},
            "No sign of an unseen cause by position (p = 0.42): at position 1 (CTR 0.12) PCOC "
            "1.18, at position 10 (CTR 0.02) PCOC 0.81. With 1,234 conversions and these click "
            "rates, a cause as strong as in the simulated world `hidden` would be found in 79 % of "
            "cases.",
        ),
        (
            {"verdict": "uneven", "trend": Trend("ctr", 0.8, 0.4237, 0.2, 0.3, -0.4, 0.8)},
            "pCVR is off by position (p = 0.004), but not in the order of clicks (p = 0.42): at "
            "position 10 (CTR 0.02) PCOC 0.81, at position 1 (CTR 0.12) PCOC 1.18. Position itself "
            "may move conversions, or go with something the model does not read.",
        ),
        (
            {"verdict": "uneven", "trend": None, "kind": "categorical"},
            "pCVR is off by position (p = 0.004); without click rates its values have no order, so "
            "the cause stays open: at position 10 (CTR 0.02) PCOC 0.81, at position 1 (CTR 0.12) "
            "PCOC 1.18. Position itself may move conversions, or go with something the model does "
            "not read.",
        ),
    ],
)
def test_sentence(changes: dict[str, object], said: str) -> None:
    assert sentence(replace(FOUND, **changes)) == said  # type: ignore[arg-type]


def test_assumption_says_what_is_not_known() -> None:
    said = assumption("slot", by_ctr=False, randomised=False)
    assert said == (
        "Right if slot itself does not move conversions, and if slot is as good as random given "
        "the model's features. Lower values of slot are taken to get more clicks: give click rates "
        "to know."
    )
