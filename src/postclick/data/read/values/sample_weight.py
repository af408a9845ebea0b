"""How many impressions a row stands for, read from the column that the schema calls `weight`."""

import polars as pl

from postclick.data.read.values.bad_values import BadValues
from postclick.data.read.values.numbers import to_number
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules

BAD_WEIGHT = "bad-weight"
# Sums of squares of so large weights are still far below the end of float64.
LARGEST_WEIGHT = 1e30


def to_weight(column: pl.Series, rules: ValueRules = DEFAULT_RULES) -> tuple[pl.Series, BadValues]:
    """Weights as Float64, and the rows where they are no number from 0 to `LARGEST_WEIGHT`.

    What is missing, unreadable, infinite, negative or too large is null.

    Raises:
        InputError: the column holds lists, records, dates or times.

    >>> weight, bad = to_weight(pl.Series("w", ["10", "0", "-1", "ten", None]))
    >>> weight.to_list(), bad
    ([10.0, 0.0, None, None, None], BadValues(rows=3, examples=("'-1'", "'ten'", 'missing')))
    """
    number, _, _ = to_number(column, rules)
    wrong = ((number < 0) | (number > LARGEST_WEIGHT)).fill_null(True)
    if bool(wrong.any()):
        number = number.set(wrong, None)
    # 0 and -0 are the same weight.
    return number + 0.0, BadValues.of(column, wrong)
