"""The public data sets that postclick reads, by name, and simulated logs."""

from postclick.data.splits import LogSplits
from postclick.datasets.aliccp import ALICCP
from postclick.datasets.aliexpress import ALIEXPRESS
from postclick.datasets.base import DataSet, Options
from postclick.datasets.coat import COAT
from postclick.datasets.hillstrom import HILLSTROM
from postclick.datasets.movielens import MOVIELENS
from postclick.datasets.simulated import SimulatedLog, simulate, write_simulated
from postclick.errors import InputError

DATASETS: dict[str, DataSet] = {
    dataset.name: dataset for dataset in (HILLSTROM, COAT, ALICCP, ALIEXPRESS, MOVIELENS)
}


def get_dataset(name: str) -> DataSet:
    """The data set called `name`.

    Raises:
        InputError: there is none of that name.

    >>> get_dataset("coat").name
    'coat'
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise InputError(
            f"no data set is called {name!r}: choose one of {', '.join(DATASETS)}"
        ) from None


__all__ = [
    "DATASETS",
    "DataSet",
    "LogSplits",
    "Options",
    "SimulatedLog",
    "get_dataset",
    "simulate",
    "write_simulated",
]
