"""Ali-CCP (Tianchi data set 408) in its raw form: options, schema and streaming reader."""

from postclick.datasets.aliccp.dataset import ALICCP, schema
from postclick.datasets.aliccp.raw import RawAliCcp

__all__ = ["ALICCP", "RawAliCcp", "schema"]
