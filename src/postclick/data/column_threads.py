"""Work on the columns of a frame, several at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import polars as pl

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`[work(item) for item in items]` in threads, for work that polars or numpy does.

    The first error, in the order of the items, is raised.

    >>> in_threads(abs, [-1, 2, -3])
    [1, 2, 3]
    """
    listed = list(items)
    if len(listed) < 2:
        return [work(item) for item in listed]
    return list(_threads().map(work, listed))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(pl.thread_pool_size(), thread_name_prefix="columns")
