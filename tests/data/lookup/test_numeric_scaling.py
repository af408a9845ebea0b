"""Numbers are read and scaled to the bits that `prepare` makes of them."""

import numpy as np
import polars as pl
import pytest

from postclick.data.encode.encoder import scale
from postclick.data.lookup.numeric_scaling import NumericScaling, read_number
from postclick.data.manifest import NumericColumn
from postclick.data.read.values.numbers import to_number
from postclick.errors import InputError


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [1.5, None, float("nan"), float("inf"), -0.0, 1e30]),
        pl.Series("x", [1.5, None], dtype=pl.Float32),
        pl.Series("x", [3, None, 2**62 + 1]),
        pl.Series("x", [True, None, False]),
        pl.Series("x", ["1", " 2.5 ", "NA", "", None, "-inf", "1e3"]),
        pl.Series("x", ["1", "2"], dtype=pl.Categorical),
        pl.Series("x", [None, None]),
        pl.Series("x", [], dtype=pl.Int16),
    ],
    ids=lambda column: str(column.dtype),
)
def test_numbers_are_read_and_scaled_as_prepare_does(column: pl.Series) -> None:
    number, _, _ = to_number(column)
    expected = number.cast(pl.Float64).to_numpy()
    found = read_number(column)
    np.testing.assert_array_equal(found, expected)
    columns = [
        NumericColumn(name="x", source="x", transform="standardize", mean=0.3, std=1.7),
        NumericColumn(name="x__missing", source="x", transform="missing_flag"),
        NumericColumn(name="y", source="y", transform="log1p", mean=-0.1, std=0.9),
    ]
    scaled = NumericScaling(columns).scale({"x": found, "y": found})
    for k, spec in enumerate(columns):
        np.testing.assert_array_equal(scaled[:, k], scale(expected, spec))


def test_a_part_without_some_numbers() -> None:
    columns = [
        NumericColumn(name=n, source=n, transform="standardize", mean=3, std=2) for n in "ab"
    ]
    scaled = NumericScaling(columns).scale({"b": np.array([5.0, np.nan])})
    assert scaled.tolist() == [[0.0, 1.0], [0.0, 0.0]]


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match=r"column 'x': 1 values are not numbers \(such as 'ten'\)"):
        read_number(pl.Series("x", ["1", "ten"]))
