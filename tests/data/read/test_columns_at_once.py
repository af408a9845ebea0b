"""Columns worked on in threads give what one after the other gives."""

import threading

import pytest

from postclick.data.read.columns_at_once import side_by_side


def test_results_come_in_the_order_of_the_items() -> None:
    assert side_by_side(lambda k: k * k, range(50)) == [k * k for k in range(50)]
    assert side_by_side(str, []) == []


def test_one_item_needs_no_thread() -> None:
    assert side_by_side(lambda _: threading.current_thread().name, [0]) == ["MainThread"]


def test_the_first_error_is_raised() -> None:
    def work(k: int) -> int:
        if k > 2:
            raise ValueError(f"item {k}")
        return k

    with pytest.raises(ValueError, match="item 3"):
        side_by_side(work, range(6))
