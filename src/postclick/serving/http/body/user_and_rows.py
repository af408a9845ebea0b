"""What a request says of the user once, and its rows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from postclick.data.lookup.raw_rows import RawRows
from postclick.serving.http.refusal import Refusal, quoted


@dataclass(frozen=True)
class UserAndRows:
    """A parsed request, in the columns that the bundle needs.

    Attributes:
        user: one row with the columns that all candidates share, if any were sent.
        rows: one row per candidate, with the other columns.
    """

    user: RawRows | None
    rows: RawRows


def refuse_columns_in_both(user: Iterable[str], rows: Collection[str]) -> None:
    """Refuse a column that both parts have: which of the two counts would be a guess.

    Raises:
        Refusal: there is one (422).
    """
    both = next((name for name in user if name in rows), None)
    if both is not None:
        message = f"column {quoted(both)} is in both the user part and the candidates: send it once"
        raise Refusal(422, message, "content")


def no_features(features: Collection[str]) -> Refusal:
    """None of the candidates' columns is needed, so that they would all score the same."""
    names = ", ".join(list(features)[:10])
    message = f"the candidates have no column that the bundle needs; it needs {names}"
    return Refusal(422, message, "content")
