"""What `prepare` refuses of splits by time and by group, and which rows it leaves out."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from helpers.timed_rows import ROWS, SECONDS, TEXTS, finding, places, run, with_times
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.errors import InputError
from postclick.spelling import command_line


def untimed(column: pl.Series, value: Any) -> pl.Series:
    texts = column.cast(pl.String).to_list()
    return pl.Series([value if k % 600 == 0 else text for k, text in enumerate(texts)])


@pytest.mark.parametrize("value", ["03/04/2026", None, "Jan 5 2026"])
def test_rows_without_a_time(
    tmp_path: Path, make_log: Any, timed: LogSchema, value: str | None
) -> None:
    frame = with_times(make_log(), untimed(pl.Series(SECONDS), value))
    such = f", such as '{value}'," if value else ""
    says = rf"train: 5 of 3,000 rows \(0.167 %\) have no time{such} that can be read \('at'\), and"
    for policy in ("error", "keep"):
        with pytest.raises(InputError, match=says + r'.*on_bad_rows="drop"') as caught:
            run(timed, frame, tmp_path / "out", split_by="time", on_bad_rows=policy)
        assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    log = run(timed, frame, tmp_path / "out", split_by="time", on_bad_rows="drop")
    assert sum(s.rows for s in log.manifest.splits.values()) == ROWS - 5
    (found,) = finding(log, "row-without-time")
    assert (found["severity"], found["rows"]) == ("warning", 5)
    random = run(timed, frame, tmp_path / "random")
    assert sum(s.rows for s in random.manifest.splits.values()) == ROWS
    assert [f["severity"] for f in finding(random, "unreadable-time")] == ["warning"] * bool(value)
    nothing = with_times(make_log(), [value or ""] * ROWS)
    with pytest.raises(InputError, match=r"3,000 of 3,000 rows .* write ISO 8601 dates or epochs$"):
        run(timed, nothing, tmp_path / "none", split_by="time", on_bad_rows="drop")


def test_kinds_that_are_mixed(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    late = np.arange(ROWS) > 2000
    frame = with_times(make_log(), np.where(late, SECONDS * 1000, SECONDS))
    says = r"times \('at'\) are of 2 kinds: train 2,001 epoch seconds, 999 epoch milliseconds; .*: "
    with pytest.raises(InputError, match=says + "write one kind"):
        run(timed, frame, tmp_path / "out", split_by="time")
    log = run(timed, frame, tmp_path / "out")
    (found,) = finding(log, "mixed-times")
    assert (found["severity"], found["rows"], found["column"]) == ("warning", 999, "at")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"split_by": "day"}, "split_by is 'day': choose random, time or group"),
        ({"purge": "7d"}, 'purge is for splits by time: add split_by="time"'),
        ({"split_by": "group", "test_from": "2026-01-20"}, "test_from is for splits by time"),
        ({"split_by": "time", "purge": "soon"}, "purge is soon: give a duration"),
        (
            {"split_by": "time", "purge": "20d"},
            r"^train: all its rows \('at' before .*\) are purged, being 20d",
        ),
        (
            {"split_by": "time", "purge": "3d", "valid_fraction": 0.01},
            "^valid: all its rows .* purged",
        ),
        (
            {"split_by": "time", "test_from": "2026-02-20"},
            "^test: no row has a time .* they are 2026",
        ),
        (
            {"split_by": "time", "test_from": "2025-02-20"},
            "the times of 'at' are 2026.*, too few",
        ),
        ({"split_by": "time", "test_from": "20/01/2026"}, "test_from is 20/01/2026: give a date"),
        (
            {"split_by": "time", "test_from": 20260120},
            "test_from is 20260120, but .* epoch seconds",
        ),
        ({"split_by": "time", "test_from": True}, "test_from is True: give a date"),
        (
            {"split_by": "time", "valid_from": "2026-01-25", "test_from": "2026-01-20"},
            r"valid_from is 2026-01-25 00:00:00, not before test begins \(2026-01-20 00:00:00\)",
        ),
    ],
)
def test_wrong_options(
    tmp_path: Path, make_log: Any, timed: LogSchema, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        run(timed, with_times(make_log()), tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_ordinals(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    """Days as numbers, hours as Avazu writes them: they compare, and have no unit."""
    hours = TEXTS.dt.strftime("%y%m%d%H").cast(pl.Int64)
    frame = with_times(make_log(), hours)
    with pytest.raises(InputError, match=r"purge: the times of 'at' are ordinals"):
        run(timed, frame, tmp_path / "out", split_by="time", purge="7d")
    with pytest.raises(InputError, match=r"test_from is 2026-01-20, but .* ordinals: give one of"):
        run(timed, frame, tmp_path / "out", split_by="time", test_from="2026-01-20")
    log = run(timed, frame, tmp_path / "out", split_by="time", test_from=26012000)
    assert places(log)["test"] == np.flatnonzero(hours.to_numpy() >= 26012000).tolist()


@pytest.mark.parametrize("role", ["time", "group"])
def test_the_schema_has_to_name_the_column(
    tmp_path: Path, make_log: Any, schema: LogSchema, role: str
) -> None:
    with pytest.raises(InputError, match=f"split_by {role}: the schema names no {role}: add"):
        prepare(LogSplits(schema, FrameSource(make_log())), tmp_path / "out", split_by=role)


def test_too_few_times(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    frame = with_times(make_log(), np.where(SECONDS % 2 == 0, 1, 2))
    with pytest.raises(InputError, match="'at' has 2 different times, too few to split by time"):
        run(timed, frame, tmp_path / "out", split_by="time")
    log = run(timed, frame, tmp_path / "out", split_by="time", valid_fraction=0)
    assert log.split("test").rows == int((SECONDS % 2 == 1).sum())


def test_messages_spell_options_for_the_command_line(
    tmp_path: Path, make_log: Any, timed: LogSchema
) -> None:
    log, options = with_times(make_log()), {"split_by": "time", "test_from": "20/01/2026"}
    with command_line(), pytest.raises(InputError, match="^--test-from is 20/01/2026: give"):
        run(timed, log, tmp_path / "out", **options)
    with command_line():
        prepared = run(timed, log, tmp_path / "out")
    (overlap,) = finding(prepared, "time-overlap")
    assert "draw them with --split-by time" in overlap["message"]
