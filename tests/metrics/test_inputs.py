import numpy as np
import pytest

from postclick.errors import InputError
from postclick.metrics.inputs import as_labels, finite_vector, in_range, vector


@pytest.mark.parametrize("shape", [(), (3, 1), (1, 3)])
def test_only_vectors(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="one value per row"):
        vector("click", np.zeros(shape))


def test_only_numbers() -> None:
    for values in (["a", "b"], [None, 1], np.array([1j, 2j])):
        with pytest.raises(InputError, match="dtype"):
            vector("click", values)  # type: ignore[arg-type]


def test_rows_must_match() -> None:
    with pytest.raises(InputError, match="click has 2 rows where 3 are expected"):
        vector("click", [0, 1], rows=3)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64"), ("int64", "float64")],
)
def test_precision_is_never_lost(given: str, kept: str) -> None:
    assert finite_vector("z", np.ones(2, dtype=given)).dtype == kept


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_only_finite(bad: float) -> None:
    with pytest.raises(InputError, match="z is NaN or infinite on 2 of 3 rows"):
        finite_vector("z", [bad, 0.0, bad])


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "float64"])
def test_labels_of_any_dtype(dtype: str) -> None:
    got = as_labels("click", np.array([0, 1, 1], dtype=dtype))
    assert got.dtype == np.bool_
    assert got.tolist() == [False, True, True]


@pytest.mark.parametrize("bad", [0.5, 2.0, -1.0, np.nan])
def test_only_0_and_1(bad: float) -> None:
    with pytest.raises(InputError, match="neither 0 nor 1 on 1 of 3 rows"):
        as_labels("click", [0.0, bad, 1.0])


def test_range_includes_its_ends() -> None:
    assert in_range("r", [0.0, 1.0], 0.0, 1.0).tolist() == [0.0, 1.0]
    with pytest.raises(InputError, match=r"r lies outside \[0, 1\] on 2 of 3 rows"):
        in_range("r", [-1e-9, 0.5, 1 + 1e-9], 0.0, 1.0)


def test_messages_are_one_line() -> None:
    with pytest.raises(InputError) as caught:
        vector("click", np.zeros((2, 2)))
    assert "\n" not in str(caught.value)
