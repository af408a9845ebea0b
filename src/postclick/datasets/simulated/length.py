"""How long a log has to be for so many conversions."""

import math

from postclick.errors import InputError

LEAST_ROWS, MOST_ROWS = 1_000, 100_000_000


def split_rows(rows: int, test_fraction: float) -> tuple[int, int]:
    """Rows of the training and of the test split.

    >>> split_rows(1_001, 0.25)
    (751, 250)
    """
    test = round(rows * test_fraction)
    return rows - test, test


def rows_for(conversions: int, ctr: float, cvr: float, test_fraction: float) -> int:
    """The fewest rows in all whose training split has so many conversions in expectation.

    An impression converts with probability `ctr * cvr`, in expectation over all of a log; so the
    training split has the least number of rows times `ctr * cvr` that is not below `conversions`.

    Raises:
        InputError: that is fewer or more rows than a log may have.

    >>> rows_for(100, 0.05, 0.03, 0.25)
    88889
    """
    train = math.ceil(conversions / (ctr * cvr) * (1 - 1e-12))
    rows = max(1, math.floor((train - 1) / (1 - test_fraction)) - 2)
    while split_rows(rows, test_fraction)[0] < train:
        rows += 1
    if not LEAST_ROWS <= rows <= MOST_ROWS:
        limit, mend = (
            (f"at most {MOST_ROWS:,}", "raise ctr or cvr, or ask for fewer conversions")
            if rows > MOST_ROWS
            else (f"at least {LEAST_ROWS:,}", "lower ctr or cvr, or ask for more conversions")
        )
        raise InputError(
            f"simulate: {conversions:,} training conversions take {rows:,} rows at a CTR of "
            f"{ctr:g} and a CVR of {cvr:g}, and a log has {limit}: {mend}"
        )
    return rows
