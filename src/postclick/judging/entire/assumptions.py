"""What has to hold for an estimate over all impressions to be right, in words."""

from typing import Literal

Estimator = Literal["snipw", "dr"]

NO_HIDDEN_CAUSE = (
    "given what the propensity is computed from, clicking tells nothing more about converting "
    "(no unseen cause of both),"
)
ASSUMPTIONS: dict[Estimator, str] = {
    "snipw": (
        f"right only if, {NO_HIDDEN_CAUSE} the propensities are right up to a common factor, and "
        "clicks occur wherever there are impressions (propensities above the clip)"
    ),
    "dr": (
        f"right only if, {NO_HIDDEN_CAUSE} and either the propensities are right up to a common "
        "factor and above the clip, or the judged model's pCVR is right where nobody clicked"
    ),
}
SUMMARY: dict[Estimator, str] = {
    "snipw": "clicked impressions weighted by 1 / propensity, weights scaled to a sum of 1",
    "dr": (
        "the judged model's pCVR over all impressions, corrected by its weighted errors on "
        "clicked ones (doubly robust)"
    ),
}
