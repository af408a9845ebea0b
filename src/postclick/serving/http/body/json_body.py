"""A JSON body to columns, without an object per candidate."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from pydantic_core import from_json

from postclick.data.lookup.raw_rows import RawRows
from postclick.serving.http.body.column_values import to_series
from postclick.serving.http.body.limits import Limits
from postclick.serving.http.body.user_and_rows import (
    UserAndRows,
    no_features,
    refuse_columns_in_both,
)
from postclick.serving.http.refusal import Refusal, quoted

_SHAPE = 'send {"user": {...}, "candidates": [{...}, ...]} or {"rows": [{...}, ...]}'


def parse_json(body: bytes, features: Sequence[str], limits: Limits) -> UserAndRows:
    """The user and the rows of a JSON request.

    Rows are objects, or one object of columns. Columns that are no feature are left out.

    Raises:
        Refusal: it is no JSON (400), over a limit (413), or of another shape or type (422).

    >>> body = b'{"user": {"age": 30}, "candidates": [{"item": "a", "x": 1}, {"item": "b"}]}'
    >>> sent = parse_json(body, ["age", "item"], Limits())
    >>> [part.whole().to_dict(as_series=False) for part in (sent.user, sent.rows)]
    [{'age': [30]}, {'item': ['a', 'b']}]
    """
    try:
        sent = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, f"the body is no JSON: {error}", "malformed") from None
    user, rows = _split(sent)
    limits.check_columns(len(user))
    check = _check_columns if isinstance(rows, dict) else _check_records
    check(rows, limits)
    refuse_columns_in_both(user, rows.keys() if isinstance(rows, dict) else set().union(*rows))
    wanted = [name for name in features if name not in user]
    columns = _of_columns(rows, wanted) if isinstance(rows, dict) else _of_records(rows, wanted)
    if not columns:
        raise no_features(features)
    shared = [to_series(name, [user[name]]) for name in features if name in user]
    return UserAndRows(
        RawRows(pl.DataFrame(shared)) if shared else None, RawRows(pl.DataFrame(columns))
    )


def _split(sent: Any) -> tuple[dict[str, Any], Any]:
    """The user part, empty if there is none, and the rows."""
    if not isinstance(sent, dict) or ("candidates" in sent) == ("rows" in sent):
        raise Refusal(
            422, f"the body has neither or both of candidates and rows: {_SHAPE}", "content"
        )
    unknown = next((key for key in sent if key not in ("user", "candidates", "rows")), None)
    if unknown is not None:
        raise Refusal(422, f"the body has a part {quoted(unknown)}: {_SHAPE}", "content")
    user = sent.get("user", {})
    if not isinstance(user, dict):
        raise Refusal(422, "user is not an object of columns: " + _SHAPE, "content")
    if user and "rows" in sent:
        raise Refusal(422, f"a user part goes with candidates, not with rows: {_SHAPE}", "content")
    rows = sent.get("candidates", sent.get("rows"))
    if not isinstance(rows, dict | list):
        raise Refusal(422, "the candidates are neither a list nor an object: " + _SHAPE, "content")
    return user, rows


def _check_columns(rows: dict[str, Any], limits: Limits) -> None:
    limits.check_columns(len(rows))
    for name, values in rows.items():
        if not isinstance(values, list):
            message = f"column {quoted(name)} is not a list: send one value per candidate in it"
            raise Refusal(422, message, "content")
    lengths = set(map(len, rows.values()))
    if len(lengths) > 1:
        message = f"columns have {min(lengths)} to {max(lengths)} values: send as many in each"
        raise Refusal(422, message, "content")
    limits.check_rows(lengths.pop() if lengths else 0)


def _check_records(rows: list[Any], limits: Limits) -> None:
    limits.check_rows(len(rows))
    if set(map(type, rows)) != {dict}:
        number = next(k for k, row in enumerate(rows) if not isinstance(row, dict))
        raise Refusal(422, f"candidate {number} is not an object of columns", "content")
    limits.check_columns(max(map(len, rows)))


def _of_columns(rows: dict[str, list[Any]], names: Sequence[str]) -> list[pl.Series]:
    return [to_series(name, rows[name]) for name in names if name in rows]


def _of_records(rows: list[dict[str, Any]], names: Sequence[str]) -> list[pl.Series]:
    columns = []
    for name in names:
        # A column that no candidate has is for the bundle to miss.
        if name not in rows[0] and not any(name in row for row in rows):
            continue
        try:
            values = [row[name] for row in rows]
        except KeyError:
            number = next(k for k, row in enumerate(rows) if name not in row)
            message = f"candidate {number} has no {quoted(name)}: send null for a missing value"
            raise Refusal(422, message, "content") from None
        columns.append(to_series(name, values))
    return columns
