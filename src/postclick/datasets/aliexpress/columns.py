"""The 82 columns of AliExpress as papers read them, and where the raw files hold each."""

from typing import Literal

Table = Literal["user", "item"]

SEARCH_ID, CLICK, CONVERSION = "search_id", "click", "conversion"
WIDTH: dict[Table, int] = {"user": 33, "item": 49}
# Columns of the raw files count from 1; the first of both is the search id.
LABEL = 49

_USER_CATEGORICAL = (*range(2, 9), 32, 33)
_ITEM_CATEGORICAL = (19, 34, 35, 36, 40, 41, 42)
_USER_NUMERICAL = tuple(range(9, 32))
_ITEM_NUMERICAL = tuple(i for i in range(2, LABEL) if i not in _ITEM_CATEGORICAL)


def _named(
    prefix: str, user: tuple[int, ...], item: tuple[int, ...]
) -> dict[str, tuple[Table, int]]:
    places: list[tuple[Table, int]] = [
        *(("user", i) for i in user),
        *(("item", i) for i in item),
    ]
    return {f"{prefix}_{n}": place for n, place in enumerate(places, 1)}


CATEGORICAL = _named("categorical", _USER_CATEGORICAL, _ITEM_CATEGORICAL)
NUMERICAL = _named("numerical", _USER_NUMERICAL, _ITEM_NUMERICAL)
FEATURES = {**CATEGORICAL, **NUMERICAL}
COLUMNS = (SEARCH_ID, *FEATURES, CLICK, CONVERSION)
