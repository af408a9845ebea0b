"""Which columns of a model's arrays belong to the user and which to each candidate."""

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from postclick.data.lookup.encoded_rows import Layout


class Columns(NamedTuple):
    """Numbers of some columns, for each kind of array."""

    ids: tuple[int, ...]
    numerics: tuple[int, ...]
    bags: tuple[int, ...]


class ColumnOwners(NamedTuple):
    """The columns of every array, by whose they are.

    Attributes:
        own: of each candidate.
        user: of the user, whom the candidates share; these are graph inputs of their own, and
            without any the graph reads all columns as one.
    """

    own: Columns
    user: Columns

    @property
    def reads_user_apart(self) -> bool:
        return any(self.user)


@lru_cache(maxsize=64)
def owners_of(layout: Layout, user: Collection[str]) -> ColumnOwners:
    """The columns of the features `user`, a frozen set, and all others.

    >>> owners_of(Layout(("user", "item"), ("age",), ("history",)), frozenset({"user", "history"}))
    ColumnOwners(own=Columns(ids=(1,), numerics=(0,), bags=()), \
user=Columns(ids=(0,), numerics=(), bags=(0,)))
    """
    kinds = (layout.ids, layout.numerics, layout.bags)
    theirs = Columns(*(_numbers([name in user for name in names]) for names in kinds))
    rest = Columns(*(_numbers([name not in user for name in names]) for names in kinds))
    return ColumnOwners(rest, theirs)


def _numbers(chosen: list[bool]) -> tuple[int, ...]:
    return tuple(number for number, is_chosen in enumerate(chosen) if is_chosen)
