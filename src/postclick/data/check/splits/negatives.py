"""What sampling the rows without a click did to the training split."""

from postclick.data.check.findings import Finding, Funnel, share
from postclick.errors import InputError
from postclick.spelling import counted, option


def require_some(whole: Funnel, kept: Funnel, rate: float) -> None:
    """Raise `InputError` if sampling left no row without a click: no fault of the log."""
    unclicked = whole.rows - whole.clicks
    if unclicked and kept.rows == kept.clicks:
        raise InputError(
            f"{option('negative_rate')} {rate:g} left none of {unclicked:,} training rows without "
            "a click: give a higher one"
        )


def sampling_finding(whole: Funnel, kept: Funnel, rate: float) -> Finding:
    """What was left out of the training split, and what it was before."""
    unclicked = whole.rows - whole.clicks
    message = (
        f"train: {share(kept.rows - kept.clicks, unclicked)} without a click were kept "
        f"(negative rate {rate:g}); before, it had {counted(whole.rows, 'row')} and a CTR of "
        f"{whole.ctr:.4f}, now {kept.rows:,} and {kept.ctr:.4f}; predictions are corrected to "
        "the log as it was"
    )
    return Finding("negatives-sampled", "info", None, whole.rows - kept.rows, message)
