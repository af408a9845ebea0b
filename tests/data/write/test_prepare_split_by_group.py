"""`prepare` with splits by group: no group is in two, or it is told."""

from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from helpers.timed_rows import ROWS, finding, places, run, with_times
from postclick.data.schema import LogSchema


def test_no_group_is_in_two_splits(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    frame = make_log().with_columns(at=pl.int_range(ROWS))
    users = frame["user"].set(pl.int_range(ROWS, eager=True) % 50 == 0, None)
    frame = frame.with_columns(users)
    log = run(timed, frame, tmp_path / "out", split_by="group")
    found = places(log)
    assert sorted(chain(*found.values())) == list(range(ROWS))
    of = {name: set(frame["user"].gather(rows).drop_nulls()) for name, rows in found.items()}
    assert of["train"] and of["valid"] and of["test"]
    assert (
        len(of["train"]) + len(of["valid"]) + len(of["test"])
        == frame["user"].drop_nulls().n_unique()
    )
    assert not finding(log, "group-overlap")
    assert "drawn from train by group, not by time" in finding(log, "time-overlap")[0]["message"]
    assert log.manifest.division is not None
    assert log.manifest.division.by == "group"
    # The same users, whatever their type, chunk and place in the log.
    mixed = frame.with_columns(pl.col("user").cast(pl.String)).sample(
        fraction=1, shuffle=True, seed=1
    )
    again = run(timed, mixed, tmp_path / "again", split_by="group")
    for name, rows in places(again).items():
        assert set(mixed["user"].gather(rows).drop_nulls().cast(pl.Int64)) == of[name]


def test_groups_in_train_and_test_are_told(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    frame = with_times(make_log())
    log = run(timed, frame, tmp_path / "out")
    found = places(log)
    known = set(frame["user"].gather(found["train"]))
    for told, name in zip(finding(log, "group-overlap"), ("valid", "test"), strict=True):
        shared = frame["user"].gather(found[name]).is_in(list(known)).sum()
        assert (told["severity"], told["rows"]) == ("info", shared)
        assert told["message"].startswith(f"{name}: ")
        assert 'split_by="group"' in told["message"]
    (overlap,) = finding(log, "time-overlap")
    assert 'draw them with split_by="time"' in overlap["message"]
