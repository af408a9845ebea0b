"""Columns worked on in threads give what one after the other gives."""

import threading

import pytest

from postclick.data.column_threads import in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    assert in_threads(lambda k: k * k, range(50)) == [k * k for k in range(50)]
    assert in_threads(str, []) == []


def test_one_item_needs_no_thread() -> None:
    assert in_threads(lambda _: threading.current_thread().name, [0]) == ["MainThread"]


def test_the_first_error_is_raised() -> None:
    def work(k: int) -> int:
        if k > 2:
            raise ValueError(f"item {k}")
        return k

    with pytest.raises(ValueError, match="item 3"):
        in_threads(work, range(6))
