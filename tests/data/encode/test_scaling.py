import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.encode.encoder import scale
from postclick.data.encode.fitting import FeatureFitter
from postclick.data.encode.scaling import EdgeSample, quantile_ids
from postclick.data.manifest import NumericColumn
from postclick.data.numbers.moments import Moments, signed_log1p
from postclick.data.read.canonical import ROW, SPLIT
from postclick.data.row_hash import row_hash
from postclick.data.schema import LogSchema

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=50)


@given(NUMBERS, st.integers(0, 50))
def test_moments_of_chunks_are_those_of_the_whole(values: list[float], cut: int) -> None:
    moments, other = Moments(), Moments()
    moments.add(np.array(values[:cut], dtype=np.float64))
    other.add(np.array(values[cut:], dtype=np.float64))
    moments.merge(other)
    assert moments.count == len(values)
    if values:
        assert moments.mean == pytest.approx(np.mean(values), abs=1e-6, rel=1e-9)
        spread = np.std(values) if len(set(values)) > 1 else 1.0
        assert moments.std == pytest.approx(spread, abs=1e-6, rel=1e-6) or spread < 1e-6


def test_a_far_offset_does_not_cancel() -> None:
    rng = np.random.default_rng(0)
    values = 1e9 + rng.normal(size=100_000)
    moments = Moments()
    for part in np.array_split(values, 37):
        moments.add(part)
    assert moments.std == pytest.approx(values.std(), rel=1e-6)


@pytest.mark.parametrize("values", [[], [5.0], [0.1] * 1000])
def test_no_spread_divides_by_one(values: list[float]) -> None:
    moments = Moments()
    moments.add(np.array(values))
    assert moments.std == 1.0


def test_log1p_keeps_the_sign() -> None:
    assert signed_log1p(np.array([-np.e + 1, 0.0, np.e - 1])).tolist() == pytest.approx([-1, 0, 1])


def edges(values: list[float], bins: int, size: int = 1000) -> tuple[float, ...]:
    sample = EdgeSample(size)
    sample.add(np.array(values), row_hash(0, len(values), seed=0, stream=3))
    return sample.edges(bins)


def test_bins_have_equal_frequency() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    found = edges(values.tolist(), 8)
    ids = quantile_ids(values, found)
    assert len(found) == 7
    assert np.bincount(ids).tolist() == [0, *[125] * 8]


def test_no_bin_is_empty_where_values_repeat() -> None:
    values = [0.0] * 90 + [1.0] * 5 + [2.0] * 5 + [float("nan")] * 20
    found = edges(values, 10)
    assert found == (1.0,)
    assert set(quantile_ids(np.array(values), found).tolist()) == {0, 1, 2}
    assert edges([3.0] * 10, 4) == ()
    assert edges([float("nan")] * 3, 4) == ()
    assert quantile_ids(np.array([-1.0, np.nan, 9.0]), ()).tolist() == [1, 0, 1]


def test_edges_of_a_sample_are_close_and_free_of_chunks() -> None:
    values = np.random.default_rng(0).random(20_000)
    hashes = row_hash(0, len(values), seed=0, stream=3)
    whole, merged = EdgeSample(2000), EdgeSample(2000)
    whole.add(values, hashes)
    for part, mine in zip(np.split(values, 8), np.split(hashes, 8), strict=True):
        other = EdgeSample(2000)
        other.add(part, mine)
        merged.merge(other)
    assert whole.edges(4) == merged.edges(4)
    assert whole.edges(4) == pytest.approx((0.25, 0.5, 0.75), abs=0.05)


def test_scale() -> None:
    column = NumericColumn(name="x", source="x", transform="standardize", mean=2.0, std=4.0)
    values = np.array([2.0, 10.0, np.nan])
    assert scale(values, column).tolist() == [0.0, 2.0, 0.0]
    logged = column.model_copy(update={"transform": "log1p", "mean": 0.0, "std": 1.0})
    assert scale(values, logged).tolist() == pytest.approx([np.log(3), np.log(11), 0.0])
    flag = column.model_copy(update={"transform": "missing_flag"})
    assert scale(values, flag).tolist() == [0.0, 0.0, 1.0]
    assert scale(values, flag).dtype == np.float32


def test_only_training_rows_are_learned_from() -> None:
    schema = LogSchema.parse(
        {
            "click": "c",
            "conversion": "v",
            "categorical": ["shop"],
            "numeric": ["price", "cost", {"name": "age", "transform": "quantile", "bins": 2}],
            "multi": ["bag"],
        }
    )
    frame = pl.DataFrame(
        {
            "shop": ["a", "b", "c"],
            "price": [1.0, 3.0, None],
            "cost": [None, 2.0, 2.0],
            "age": [1.0, 2.0, 1000.0],
            "bag": [["x"], ["y", "x"], ["z"]],
            ROW: [0, 1, 2],
            SPLIT: pl.Series([0, 0, 2], dtype=pl.UInt8),
        }
    )
    fitter = FeatureFitter(schema, seed=0)
    coded = fitter.add(frame)
    fitted = fitter.result()
    assert fitted.vocabularies["shop"].table["value"].to_list() == ["a", "b"]
    assert fitted.vocabularies["bag"].table["value"].to_list() == ["x", "y"]
    columns = {c.name: c for c in fitted.encoder.numerics}
    assert list(columns) == ["price", "cost", "cost__missing"]
    assert (columns["price"].mean, columns["price"].std) == (2.0, 1.0)
    assert [c.edges for c in fitted.encoder.ids] == [None, (2.0,)]
    assert [c.size for c in fitted.encoder.ids] == [3, 3]
    encoded = fitted.encoder.encode(coded)
    assert encoded.columns == ["shop", "age", "price", "cost", "cost__missing", "bag"]
    assert encoded["shop"].to_list() == [1, 2, 0]
    assert encoded["bag"].to_list() == [[1], [2, 1], [0]]
    assert encoded["price"].to_list() == [-1.0, 1.0, 0.0]
    assert encoded["cost__missing"].to_list() == [1.0, 0.0, 0.0]
    assert encoded["age"].to_list() == [1, 2, 2]
