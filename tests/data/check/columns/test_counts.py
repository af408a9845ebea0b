"""Findings speak of one as of one, and of several as of several."""

from typing import Any

import polars as pl
import pytest

from postclick.data.check.check_log import check_log


def messages(rows: int, odd: int, column: list[Any]) -> str:
    """All findings on a log whose feature is odd in some of its rows."""
    values = [*column[:odd], *column[odd:rows]]
    log = pl.DataFrame(
        {"click": [1, 0] * (rows // 2), "buy": [1, 0] * (rows // 2), "shop": values},
        strict=False,
    )
    schema = {"click": "click", "conversion": "buy", "categorical": ["shop"]}
    return "\n".join(finding.message for finding in check_log(schema, log).findings)


@pytest.mark.parametrize(
    ("odd", "column", "told"),
    [
        (1, ["none", *"abcdefg"], "1 value looks like a missing one and counts as a category"),
        (2, ["none", "none", *"abcdef"], "2 values look like a missing one and count as a "),
        (1, ["1.50", "1.5", *"abcdef"], "1 value is a number that other rows write in another "),
    ],
)
def test_values(odd: int, column: list[str], told: str) -> None:
    assert told in messages(8, odd, column)
