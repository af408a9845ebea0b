"""AliExpress (Tianchi data set 74690): the 82-column layout and the raw user/item pair."""

from postclick.datasets.aliexpress.dataset import ALIEXPRESS, schema
from postclick.datasets.aliexpress.raw import RawAliExpress

__all__ = ["ALIEXPRESS", "RawAliExpress", "schema"]
