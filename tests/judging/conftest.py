"""A method with random weights, and its judgement."""

from typing import Any

import pytest

from helpers.by_hand import shaken
from postclick.data.prepared import PreparedLog
from postclick.judging.judge import Judgement, judge
from postclick.methods.base import Method


@pytest.fixture(scope="module")
def method(small_log: PreparedLog) -> Method[Any]:
    return shaken(small_log, "choruscvr", "clip=[0.06, 0.8]")


@pytest.fixture(scope="module")
def judgement(method: Method[Any], small_log: PreparedLog) -> Judgement:
    return judge(method, small_log, "test", batch_size=333)
