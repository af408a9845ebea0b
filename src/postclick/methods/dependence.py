"""What a likelihood says of how far clicks and conversions share a hidden cause, in words."""

from math import isfinite

from postclick.linear.likelihood_ratio import CUT

# No value beyond is tried.
LIMITS = (-3.0, 4.0)


def stated(best: float, low: float, high: float, at_zero: float) -> str:
    """The estimate, its interval, and whether 0 is rejected.

    Args:
        low, high: ends of the interval, infinite where it goes on beyond what was tried.
        at_zero: how much likelihood 0 loses.

    >>> stated(0.9, 0.5, 1.3, 8.0)
    'dependence s = 0.90 (0.50 to 1.30), s = 0 rejected'
    """
    least = f"{low:.2f}" if isfinite(low) else f"below {LIMITS[0]:g}"
    most = f"{high:.2f}" if isfinite(high) else f"above {LIMITS[1]:g}"
    rejected = "s = 0 rejected" if at_zero > CUT else "s = 0 not rejected"
    found = f"dependence s = {best:.2f} ({least} to {most}), {rejected}"
    if isfinite(low) and isfinite(high):
        return found
    return f"{found}; the log does not bound it, see 'postclick sensitivity'"
