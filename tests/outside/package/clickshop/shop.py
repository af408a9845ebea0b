"""A data set: a CSV file with a header of our shop's."""

from pathlib import Path

from postclick import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.datasets.base import DataSet, Options


class ShopOptions(Options):
    """`ids`: whether user and item are features."""

    ids: bool = True


def read(path: Path, options: ShopOptions) -> LogSplits:
    schema = LogSchema.parse(
        {
            "click": "clicked",
            "conversion": "bought",
            "categorical": ["user", "item", "hour"] if options.ids else ["hour"],
            "numeric": ["price"],
            "group": "user",
        }
    )
    return LogSplits(schema, open_log(path), notes=("a log of our shop",))


SHOP = DataSet("shop", "our shop's log", "a CSV file", ShopOptions, read)
