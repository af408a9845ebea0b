"""What values of features are called in tables, and the order that some of them have."""

import re
from collections.abc import Sequence

MISSING, OTHERS, UNKNOWN = "(missing)", "(others)", "(unseen, missing or rare)"
# Names of what is no value.
RESERVED = (MISSING, OTHERS, UNKNOWN)
# As canonical text has them, in UTC: in the order of texts they are in that of time.
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?")


def told_apart(value: str) -> str:
    """A value, in quotes where its text is a name of what is no value.

    >>> told_apart("shoes"), told_apart("(missing)")
    ('shoes', '"(missing)"')
    """
    return f'"{value}"' if value in RESERVED else value


def are_dates(values: Sequence[str | None]) -> bool:
    """Whether all that are there are months, dates or moments in ISO 8601, as canonical text.

    >>> are_dates(["2026-01-05", None]), are_dates(["2026-01-05", "later"]), are_dates([None])
    (True, False, False)
    """
    there = [value for value in values if value is not None]
    return bool(there) and all(_DATE.fullmatch(value) for value in there)
