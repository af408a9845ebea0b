"""The public data sets that postclick reads, by name, and simulated logs."""

from postclick.data.splits import LogSplits
from postclick.datasets.aliccp import ALICCP
from postclick.datasets.aliexpress import ALIEXPRESS
from postclick.datasets.base import DataSet, Options
from postclick.datasets.coat import COAT
from postclick.datasets.hillstrom import HILLSTROM
from postclick.datasets.movielens import MOVIELENS
from postclick.datasets.simulated import SimulatedLog, simulate, write_simulated
from postclick.registry import Registry, asked_for

DATASETS: dict[str, DataSet] = {
    dataset.name: dataset for dataset in (HILLSTROM, COAT, ALICCP, ALIEXPRESS, MOVIELENS)
}


# Ours, and those that installed packages register as entry points `postclick.datasets`.
REGISTRY: Registry[DataSet] = Registry(
    "data set", "postclick.datasets", DATASETS, DataSet, instances=True
)


def get_dataset(name: str) -> DataSet:
    """The data set called `name`, or at a place (`package.module:NAME`).

    Raises:
        InputError: there is none of that name.

    >>> get_dataset("coat").name
    'coat'
    """
    return REGISTRY.find(asked_for(name))


__all__ = [
    "DATASETS",
    "REGISTRY",
    "DataSet",
    "LogSplits",
    "Options",
    "SimulatedLog",
    "get_dataset",
    "simulate",
    "write_simulated",
]
