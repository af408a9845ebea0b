"""Prepared from any format and scored from any other, a log has the same ids and numbers.

Prints the matrix: `PYTHONPATH=src:tests python -m representations.matrix 2000`.
"""

from pathlib import Path

import pytest

from representations.formats import FORMATS
from representations.pairs import Tally, try_log

PORTION = 100


def try_logs(seeds: range, folder: Path, formats: int = 4) -> Tally:
    tally = Tally()
    for seed in seeds:
        tally.add(try_log(seed, folder / str(seed), formats))
    return tally


def test_few_logs(tmp_path: Path) -> None:
    tally = try_logs(range(30), tmp_path)
    assert sum(tally.tried.values()) == sum(tally.equal.values()) + sum(tally.refused.values())
    assert {to for _, to in tally.equal} == set(FORMATS)
    assert sum(tally.equal.values()) > 0.8 * sum(tally.tried.values())
    # What is refused is a type that requests do not have, and no file or frame is.
    assert {to for _, to in tally.refused} <= {"Arrow request"}, tally.reasons


@pytest.mark.slow
@pytest.mark.parametrize("portion", range(20))
def test_2000_logs(portion: int, tmp_path: Path) -> None:
    """Two formats of each: the script tries four."""
    tally = try_logs(range(portion * PORTION, (portion + 1) * PORTION), tmp_path, formats=2)
    assert {to for _, to in tally.refused} <= {"Arrow request"}, tally.reasons
