"""Patterns of dates, times of day and moments as text: ISO 8601, and what programs make of it.

A moment is a date and a time after a T or a space, to the minute, the second or a fraction of it
behind a point or a comma, with Z, UTC or an offset; T and Z may be in lower case.

>>> import re
>>> [bool(re.fullmatch(MOMENT, text)) for text in ("2026-01-05t10:00:00,5z", "2026-01-05 25:00")]
[True, False]
"""

DATE = r"\d{4}-\d\d-\d\d"
_HOUR, _SIXTY = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_FRACTION = r"[.,]\d{1,9}"
UTC = r"(?: ?(?:[Zz]|UTC|[+-]00(?::?00)?))"
OFFSET = rf"(?: ?(?:[Zz]|UTC|[+-]{_HOUR}(?::?{_SIXTY})?))"
MOMENT = rf"{DATE}[Tt ]{_HOUR}:{_SIXTY}(?::{_SIXTY}(?:{_FRACTION})?)?{OFFSET}?"
CLOCK = rf"{_HOUR}:{_SIXTY}:{_SIXTY}{_FRACTION}"
