"""Encoded rows: a user beside candidates, and lists padded to a matrix."""

import numpy as np
import pytest

from postclick.data.lookup.encoded_rows import BagRows, EncodedRows, Layout
from postclick.errors import InputError

LAYOUT = Layout(("user", "item"), ("age", "price", "price"), ("history", "tags"))


def part(features: set[str], rows: int, value: int) -> EncodedRows:
    ids, numeric = np.zeros((rows, 2), np.int32), np.zeros((rows, 3), np.float32)
    for k, name in enumerate(LAYOUT.ids):
        ids[:, k] = value if name in features else 0
    for k, name in enumerate(LAYOUT.numerics):
        numeric[:, k] = value if name in features else 0
    bags = []
    for name in LAYOUT.bags:
        lengths = np.arange(rows) % 3 + 1 if name in features else np.zeros(rows, np.int64)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        total = int(offsets[-1])
        bags.append(BagRows(np.full(total, value, np.int32), offsets, np.ones(total, np.float32)))
    return EncodedRows(LAYOUT, frozenset(features), ids, numeric, tuple(bags))


def test_a_user_beside_candidates() -> None:
    user, items = part({"user", "age", "history"}, 1, 4), part({"item", "price", "tags"}, 5, 9)
    for both in (user.beside(items), items.beside(user), user.repeat(5).beside(items)):
        assert both.missing == () and len(both) == 5
        assert both.ids.tolist() == [[4, 9]] * 5
        assert both.numeric.tolist() == [[4.0, 9.0, 9.0]] * 5
        ids, weights = both.bags[0].padded(1, 4)
        assert ids.tolist() == [[4]] * 3 and weights.tolist() == [[1.0]] * 3
        assert both.bags[0].longest(1, 4) == 1
        assert both.bags[1] is items.bags[1]


def test_a_user_without_candidates() -> None:
    user, items = part({"user", "age", "history"}, 1, 4), part({"item", "price", "tags"}, 0, 9)
    for both in (user.beside(items), items.beside(user)):
        assert len(both) == 0 and both.ids.shape == (0, 2) and both.numeric.shape == (0, 3)
        assert [len(bag) for bag in both.bags] == [0, 0]


def test_parts_that_do_not_fit_are_refused() -> None:
    user, items = part({"user", "item"}, 2, 4), part({"item"}, 5, 9)
    with pytest.raises(InputError, match="feature 'item' is in both parts"):
        user.beside(items)
    with pytest.raises(InputError, match="parts of 2 and 5 rows"):
        part({"user"}, 2, 4).beside(items)
    with pytest.raises(InputError, match="2 rows cannot be repeated"):
        user.repeat(3)
    assert user.missing == ("age", "price", "history", "tags")


def test_padding() -> None:
    bag = BagRows(
        np.array([5, 6, 7, 8], np.int32),
        np.array([0, 2, 2, 3, 4]),
        np.array([0.5, 0.25, 1, 2], np.float32),
    )
    ids, weights = bag.padded(0, 3)
    assert ids.tolist() == [[5, 6], [0, 0], [7, 0]]
    assert weights.tolist() == [[0.5, 0.25], [0, 0], [1, 0]]
    ids, weights = bag.padded(1, 2)  # nothing but empty lists: still a column
    assert ids.tolist() == [[0]] and weights.tolist() == [[0]]
    assert bag.longest(0, 4) == 2 and bag.longest(1, 2) == 0
