"""Numbers for the values of a category, as they come."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from postclick.errors import InputError
from postclick.spelling import option

MOST_VALUES = 100_000


def codes_of(
    text: pl.Series, codes: dict[str | None, int], name: str, asked: str
) -> NDArray[np.int64]:
    """The code of each value, `(n,)`; values that `codes` does not have yet are added to it.

    Raises:
        InputError: there are more than a category may have; `name` and `asked` as of `too_many`.

    >>> codes = {"a": 0}
    >>> codes_of(pl.Series(["b", "a", None]), codes, "shop", "by").tolist(), codes["b"]
    ([1, 0, 2], 1)
    """
    values = text.unique(maintain_order=True).to_list()
    for value in values:
        codes.setdefault(value, len(codes))
    if len(codes) > MOST_VALUES:
        raise too_many(name, asked)
    table = pl.DataFrame({"value": values, "code": [codes[one] for one in values]})
    table = table.with_columns(pl.col("value").cast(pl.String))
    found: NDArray[np.int64] = (
        text.to_frame("value")
        .join(table, on="value", how="left", nulls_equal=True, maintain_order="left")["code"]
        .to_numpy()
    )
    return found


def too_many(name: str, asked: str) -> InputError:
    """More values than a category may have; `asked` is the option that named it."""
    return InputError(
        f"feature {name!r} has more than {MOST_VALUES:,} values: give {option(asked)} one with "
        "fewer, such as a category of them"
    )
