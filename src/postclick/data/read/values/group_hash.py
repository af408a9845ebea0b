"""Groups as numbers that are the same in every split, file, process and version."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import polars as pl

from postclick.data.read.values.canonical_text import ReadText, read_text
from postclick.data.read.values.value_rules import DEFAULT_RULES, ValueRules
from postclick.errors import InputError

MISSING = 0


def read_group(
    column: pl.Series, rules: ValueRules = DEFAULT_RULES, *, verbatim: bool = False
) -> ReadText:
    """The canonical text of each row's group, and what is odd about it.

    Raises:
        InputError: the column holds lists or records.

    >>> read_group(pl.Series("user", [7.0, None])).text.to_list()
    ['7', None]
    """
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        raise InputError(
            f"group column {column.name!r} holds {column.dtype}, not one value per row: "
            "name another column under group, or take group out of the schema"
        )
    return read_text(column, rules, verbatim=verbatim)


def text_hash(values: pl.Series) -> npt.NDArray[np.int64]:
    """int64 [n]: a hash of each text of a String column, 0 where it is missing.

    BLAKE2b (RFC 7693) of the UTF-8 bytes with a digest of 8 bytes, read as a little-endian
    integer; a hash of 0 becomes 1. That two of n different texts share one has a probability of
    n^2 / 2^65: one in 370,000 for ten million.

    >>> text_hash(pl.Series(["7", None, "7"])).tolist()
    [-9038873097560174361, 0, -9038873097560174361]
    """
    texts = values.unique().drop_nulls()
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts.to_list())
    hashes = np.frombuffer(digests, dtype="<i8").astype(np.int64)
    hashes[hashes == MISSING] = 1
    known = pl.LazyFrame({"text": texts, "hash": hashes})
    rows = pl.LazyFrame({"text": values})
    found = rows.join(known, on="text", how="left", maintain_order="left").collect()["hash"]
    return found.fill_null(MISSING).to_numpy()
