"""The registry of data sets."""

import pytest

from postclick.datasets import DATASETS, DataSet, get_dataset
from postclick.errors import InputError


def test_names() -> None:
    assert list(DATASETS) == ["hillstrom", "coat", "aliccp", "aliexpress", "movielens"]


@pytest.mark.parametrize("name", DATASETS)
def test_every_data_set_describes_itself(name: str) -> None:
    dataset = get_dataset(name)
    assert isinstance(dataset, DataSet)
    assert dataset.name == name
    assert dataset.summary and "\n" not in dataset.summary
    # All options have defaults: a data set can be read with its path alone.
    dataset.options()
    with pytest.raises(InputError, match=f"does not exist; {name} expects"):
        dataset.load("no/such/path")


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(
        InputError,
        match=r"mean 'coat'\?\); there are hillstrom, coat, aliccp, al",
    ):
        get_dataset("cota")
