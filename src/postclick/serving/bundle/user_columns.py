"""Which columns of a model's arrays belong to the user and which to each candidate."""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from postclick.serving.lookup.encoded import Layout


class Columns(NamedTuple):
    """Numbers of some columns, for each kind of array."""

    ids: tuple[int, ...]
    numerics: tuple[int, ...]
    bags: tuple[int, ...]


class Division(NamedTuple):
    """The columns of every array, in two parts.

    Attributes:
        own: of the candidates.
        user: of the user, whose graph inputs are inputs of their own; without any it is one
            graph for all columns.
    """

    own: Columns
    user: Columns

    @property
    def is_divided(self) -> bool:
        return any(self.user)


@lru_cache(maxsize=64)
def divide(layout: Layout, user: Collection[str]) -> Division:
    """The columns of the features `user`, a frozen set, and all others.

    >>> divide(Layout(("user", "item"), ("age",), ("history",)), frozenset({"user", "history"}))
    Division(own=Columns(ids=(1,), numerics=(0,), bags=()), \
user=Columns(ids=(0,), numerics=(), bags=(0,)))
    """
    kinds = (layout.ids, layout.numerics, layout.bags)
    theirs = Columns(*(_numbers([name in user for name in names]) for names in kinds))
    rest = Columns(*(_numbers([name not in user for name in names]) for names in kinds))
    return Division(rest, theirs)


def _numbers(chosen: list[bool]) -> tuple[int, ...]:
    return tuple(number for number, is_chosen in enumerate(chosen) if is_chosen)
