"""Tail probabilities of the normal and the chi-square distribution, without SciPy."""

from math import erfc, exp, gamma, sqrt


def normal_p(z: float) -> float:
    """The two-sided p-value of z: P(|Z| >= |z|) of a standard normal Z.

    >>> round(normal_p(1.96), 4)
    0.05
    """
    return erfc(abs(z) / sqrt(2.0))


def chi_square_tail(x: float, df: int) -> float:
    """P(X >= x) of a chi-square X with `df >= 1` degrees of freedom, exact.

    The regularised upper gamma function of df / 2, which is a finite sum for whole df: from
    Q(1/2, y) = erfc(sqrt y) or Q(1, y) = exp(-y) upwards by
    Q(a + 1, y) = Q(a, y) + y^a exp(-y) / Gamma(a + 1), y = x / 2.

    Source: NIST Digital Library of Mathematical Functions, 8.4.6 and 8.8.6.

    >>> round(chi_square_tail(3.841, 1), 4), round(chi_square_tail(16.919, 9), 4)
    (0.05, 0.05)
    """
    y = max(x, 0.0) / 2.0
    a = 0.5 if df % 2 else 1.0
    q = erfc(sqrt(y)) if df % 2 else exp(-y)
    # Each term from the one before: neither power nor gamma function overflows.
    term = y**a * exp(-y) / gamma(a + 1.0)
    while a < df / 2.0:
        q += term
        a += 1.0
        term *= y / a
    return min(1.0, q)
