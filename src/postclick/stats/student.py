"""Student's t distribution; SciPy is imported where it is asked for, so that intervals over rows
need none.
"""


def two_sided_p(t: float, df: float) -> float:
    """The chance of a t as far from 0 as this one, on either side.

    >>> round(two_sided_p(-2.0, 10), 4)
    0.0734
    """
    from scipy.special import stdtr

    return min(1.0, 2.0 * float(stdtr(df, -abs(t))))


def t_quantile(probability: float, df: float) -> float:
    """The t below which values lie with this probability.

    >>> round(t_quantile(0.975, 4), 4)
    2.7764
    """
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))
