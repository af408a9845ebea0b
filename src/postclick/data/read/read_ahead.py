"""The next piece of a log read while the one before it is used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def read_ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces, in order, each read in a thread; none of them may be None.

    An error of `pieces` is raised where its piece would have come.

    >>> list(read_ahead(iter([1, 2])))
    [1, 2]
    """
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, pieces, None)
        while (piece := ahead.result()) is not None:
            ahead = reader.submit(next, pieces, None)
            yield piece
