"""Judging by a hashed feature, and by a vector, which has no segments."""

import pytest

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.feature_values import feature_values
from postclick.testing.fake_log import fake_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PreparedLog:
    return fake_log(tmp_path_factory.mktemp("fake") / "log", rows=1_000)


def test_a_hashed_feature_is_cut_by_bucket(log: PreparedLog) -> None:
    values, rows = feature_values(log, "device"), log.rows("test")
    keys = values.read(rows, slice(0, 50))
    number, names = values.segments(keys)
    assert values.kind == "categorical"
    assert keys.min() >= 0
    assert keys.max() <= 200
    assert [names[k] for k in number] == [f"bucket {key}" for key in keys]


def test_a_vector_has_no_value_to_cut_by(log: PreparedLog) -> None:
    with pytest.raises(InputError, match="'embedding' has several values for each impression"):
        feature_values(log, "embedding")
    with pytest.raises(InputError, match="no feature 'none' to judge by; there are: .*device"):
        feature_values(log, "none")
