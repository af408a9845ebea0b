"""Rows that are put away come back once each, those of a group together, in pieces of few rows."""

import numpy as np
import pytest

from postclick.judging.predicted.spool import Spool


def _put_away(spool, group, chunk=1000):
    for start in range(0, group.size, chunk):
        rows = np.arange(start, min(start + chunk, group.size))
        spool.add({"row": rows}, group[rows])


@pytest.mark.parametrize("memory_bytes", [1, 1 << 30], ids=["disk", "memory"])
def test_pieces_stay_small_and_groups_whole(memory_bytes):
    rng = np.random.default_rng(0)
    group = rng.integers(-(2**62), 2**62, 9_000)[rng.integers(0, 9_000, 60_000)]
    group[:5_000] = 0  # rows of no group need not be together
    with Spool(memory_bytes, piece_rows=200, parts=4) as spool:
        _put_away(spool, group)
        pieces = [{name: column.copy() for name, column in piece.items()} for piece in spool]
    assert np.array_equal(
        np.sort(np.concatenate([one["row"] for one in pieces])), np.arange(60_000)
    )
    assert max(one["row"].size for one in pieces) < 400
    seen = {}
    for number, piece in enumerate(pieces):
        assert np.array_equal(piece["group"], group[piece["row"]])
        for one in np.unique(piece["group"]):
            assert one == 0 or seen.setdefault(one, number) == number


def test_one_group_of_many_rows_is_one_piece():
    group = np.full(5_000, 7 << 20)
    with Spool(1, piece_rows=100, parts=4) as spool:
        _put_away(spool, group)
        assert [piece["row"].size for piece in spool] == [5_000]


def test_files_are_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool(1, piece_rows=100, parts=2) as spool:
        _put_away(spool, np.arange(1, 3_001))
        next(iter(spool))
        assert any(tmp_path.iterdir())
    assert not any(tmp_path.iterdir())
