"""`prepare` with splits by time and by group: every row is somewhere, and in the right place."""

import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.written import digests, stored
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read import log_source
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.data.write.request import request_hash
from postclick.errors import InputError
from postclick.spelling import command_line

ROWS = 3000
SECONDS = 1_767_225_600 + np.random.default_rng(0).integers(0, 30 * 86_400, ROWS)
ROLES = {"time": "at", "group": "user", "numeric": [], "multi": [], "truth": {}}


@pytest.fixture
def timed(schema: LogSchema) -> LogSchema:
    """Categorical features with a time and a group; `row` names each row."""
    return LogSchema.parse({**schema.model_dump(mode="json"), **ROLES})


def with_times(log: pl.DataFrame, times: Any = SECONDS) -> pl.DataFrame:
    return log.with_columns(pl.Series("at", times))


def every_row(schema: LogSchema) -> LogSchema:
    """Truth columns are written as they are in every split: one that numbers the rows."""
    return schema.model_copy(update={"truth": type(schema.truth)(ctr="number")})


def places(log: PreparedLog) -> dict[str, list[int]]:
    """Numbers of the rows in each split, from the truth column of `every_row`."""
    return {
        name: sorted(np.rint(stored(log, name)["true_ctr"].to_numpy() * 4096).astype(int).tolist())
        for name in log.manifest.splits
    }


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(number=pl.int_range(pl.len()) / 4096)


def run(schema: LogSchema, frame: pl.DataFrame, out: Path, **options: Any) -> PreparedLog:
    return prepare(LogSplits(every_row(schema), FrameSource(numbered(frame))), out, **options)


def finding(log: PreparedLog, code: str) -> list[dict[str, Any]]:
    return [f for f in log.manifest.findings if f["code"] == code]


def test_the_latest_rows_are_for_test(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    log = run(timed, with_times(make_log()), tmp_path / "out", split_by="time")
    found = places(log)
    assert sorted(chain(*found.values())) == list(range(ROWS))
    order = np.argsort(SECONDS, kind="stable")
    for name, share in (("test", 0.25), ("valid", 0.1)):
        assert abs(len(found[name]) - share * ROWS) <= 1
        assert set(found[name]) == set(order[-len(found[name]) :].tolist())
        order = order[: -len(found[name])]
    (info,) = finding(log, "split-by-time")
    division = log.manifest.division
    assert division is not None
    assert (division.by, division.purge) == ("time", None)
    first = datetime.fromtimestamp(SECONDS[found["test"]].min(), UTC)
    assert division.starts["test"] == first.strftime("%Y-%m-%d %H:%M:%S")
    assert division.starts["test"] in info["message"]
    assert not finding(log, "time-overlap")
    assert Manifest.read(log.folder) == log.manifest


def test_dates_and_a_purge(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    when = {"valid_from": "2026-01-20", "test_from": datetime(2026, 1, 25)}
    log = run(timed, with_times(make_log()), tmp_path / "o", split_by="time", **when, purge="36h")
    found = places(log)
    day = (SECONDS - SECONDS.min() // 86_400 * 86_400) / 86_400
    gone = ((day >= 17.5) & (day < 19)) | ((day >= 22.5) & (day < 24))
    assert found["train"] == np.flatnonzero(day < 17.5).tolist()
    assert found["valid"] == np.flatnonzero((day >= 19) & (day < 22.5)).tolist()
    assert found["test"] == np.flatnonzero(day >= 24).tolist()
    messages = [f["message"] for f in finding(log, "purged")]
    assert sum(f["rows"] for f in finding(log, "purged")) == gone.sum()
    assert "of the 36h before valid begins (2026-01-20 00:00:00)" in messages[0]
    assert messages[1].startswith("valid: ")
    clicks = make_log()["click"].to_numpy()
    assert f"({int(clicks[(day >= 17.5) & (day < 19)].sum())} clicks)" in messages[0]
    assert log.manifest.division is not None
    assert log.manifest.division.purge == "36h"
    assert sum(s.rows for s in log.manifest.splits.values()) == ROWS - gone.sum()


def test_one_date_and_one_share(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    start = date(2026, 1, 20)
    log = run(timed, with_times(make_log()), tmp_path / "o", split_by="time", test_from=start)
    after = int((datetime(2026, 1, 20, tzinfo=UTC).timestamp() <= SECONDS).sum())
    assert log.split("test").rows == after
    assert abs(log.split("valid").rows - ROWS // 10) <= 1
    none = {"valid_fraction": 0, "split_by": "time", "purge": timedelta(days=1)}
    log = run(timed, with_times(make_log()), tmp_path / "two", **none)
    assert list(log.manifest.splits) == ["train", "test"]
    assert [f["message"].split(":")[0] for f in finding(log, "purged")] == ["train"]


TEXTS = pl.from_epoch(pl.Series(SECONDS))
REPRESENTATIONS: dict[str, Any] = {
    "seconds": SECONDS,
    "milliseconds": SECONDS * 1000,
    "microseconds": SECONDS * 10**6,
    "nanoseconds": SECONDS * 10**9,
    "seconds as floats": SECONDS.astype(np.float64),
    "seconds as text": list(map(str, SECONDS)),
    "text with T": TEXTS.dt.strftime("%Y-%m-%dT%H:%M:%S"),
    "text with Z": TEXTS.dt.strftime("%Y-%m-%dT%H:%M:%S.%3fZ"),
    "text in Delhi": (TEXTS + timedelta(minutes=330)).dt.strftime("%Y-%m-%d %H:%M:%S+05:30"),
    "ms": TEXTS.cast(pl.Datetime("ms")),
    "us": TEXTS.cast(pl.Datetime("us")),
    "ns": TEXTS.cast(pl.Datetime("ns")),
    "in New York": TEXTS.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York"),
    "pandas": pl.from_pandas(pd.Series(pd.to_datetime(SECONDS, unit="s"))),
    "hours and seconds as one number": TEXTS.dt.strftime("%Y%m%d%H%M%S").cast(pl.Int64),
}


def test_any_representation_gives_the_same_split(
    tmp_path: Path, make_log: Any, timed: LogSchema
) -> None:
    whole, starts = None, None
    for name, times in REPRESENTATIONS.items():
        frame = numbered(with_times(make_log(), times)).drop("history", "weight")
        frame.write_parquet(tmp_path / f"{name}.parquet")
        frame.write_csv(tmp_path / f"{name}.csv")
        ordinal = "one number" in name
        when = {} if ordinal else {"valid_from": "2026-01-18T12:00", "purge": "5h"}
        for suffix in ("parquet", "csv"):
            source = open_log(tmp_path / f"{name}.{suffix}")
            out = tmp_path / f"{name} {suffix}"
            log = prepare(LogSplits(every_row(timed), source), out, split_by="time", **when)
            found = places(log)
            if ordinal:  # no unit, so that only the test's share compares
                found, before = {"test": found["test"]}, {"test": (whole or {})["test"]}
                assert found == before
                continue
            assert log.manifest.division is not None
            whole, starts = whole or found, starts or log.manifest.division.starts
            assert found == whole, (name, suffix)
            assert log.manifest.division.starts == starts
            assert not finding(log, "mixed-times")


def run_or_refuse(*args: Any, **options: Any) -> tuple[PreparedLog | None, str]:
    try:
        return run(*args, **options), ""
    except InputError as error:
        return None, str(error)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([None, *range(12)]), min_size=60, max_size=120).filter(any),
    st.floats(0.05, 0.45),
    st.floats(0.05, 0.45),
    st.integers(0, 3),
    st.sampled_from([17, 1000]),
)
def test_what_holds_of_any_split_by_time(
    tmp_path_factory: pytest.TempPathFactory,
    timed: LogSchema,
    days: list[int | None],
    valid: float,
    test: float,
    purge: int,
    chunk: int,
) -> None:
    n = np.arange(len(days))
    frame = pl.DataFrame({"row": n, "user": n % 7, "shop": "a", "click": n % 2, "buy": n % 4 // 3})
    at = [None if d is None else datetime(2026, 1, 1) + timedelta(days=d) for d in days]
    frame = frame.with_columns(pl.Series("at", at, dtype=pl.Datetime("us")))
    options = {
        "valid_fraction": valid,
        "test_fraction": test,
        "purge": f"{purge}d" if purge else None,
    }
    out = tmp_path_factory.mktemp("o") / "o"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_source, "CHUNK_ROWS", chunk)
        log, says = run_or_refuse(timed, frame, out, split_by="time", on_bad_rows="drop", **options)
    if log is None:
        assert re.search(
            "too few to split|all its rows|no row has a time|no click|no conv|is clicked", says
        )
        return
    found = places(log)
    spans = [[days[k] for k in found[s]] for s in ("train", "valid", "test")]
    for earlier, later in pairwise(spans):
        assert max(earlier) + purge < min(later) + (purge == 0)
        assert max(earlier) < min(later)
    left = sum(f["rows"] for f in finding(log, "purged"))
    left += sum(f["rows"] for f in finding(log, "row-without-time"))
    assert sum(map(len, spans)) + left == len(days)
    assert sum(f["rows"] for f in finding(log, "row-without-time")) == days.count(None)


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


def test_only_what_is_drawn_is_split(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    train, other = with_times(make_log()), with_times(make_log(500, seed=1), SECONDS[:500] + 10**7)
    given_test = LogSplits(
        every_row(timed), FrameSource(numbered(train)), FrameSource(numbered(other))
    )
    log = prepare(given_test, tmp_path / "valid", split_by="time")
    assert log.split("test").rows == 500
    found = places(log)
    assert SECONDS[found["train"]].max() < SECONDS[found["valid"]].min()
    both = LogSplits(given_test.schema, given_test.train, given_test.test, given_test.test)
    plain = prepare(both, tmp_path / "plain")
    assert digests(prepare(both, tmp_path / "both", split_by="time").folder) == digests(
        plain.folder
    )
    with pytest.raises(InputError, match=r"purge: no split is drawn from train"):
        prepare(both, tmp_path / "purge", split_by="time", purge="1d")
    with pytest.raises(InputError, match=r"test has a log of its own: leave test_from out"):
        prepare(given_test, tmp_path / "purge", split_by="time", test_from="2026-01-20")


def test_negatives_are_sampled_from_what_trains(
    tmp_path: Path, make_log: Any, timed: LogSchema
) -> None:
    frame, options = with_times(make_log()), {"split_by": "time", "purge": "1d"}
    whole = run(timed, frame, tmp_path / "whole", **options)
    some = run(timed, frame, tmp_path / "some", **options, negative_rate=0.5)
    before, after = places(whole), places(some)
    assert [before[s] == after[s] for s in ("valid", "test", "train")] == [True, True, False]
    clicks = set(np.flatnonzero(frame["click"].to_numpy()).tolist())
    assert set(after["train"]) & clicks == set(before["train"]) & clicks
    assert set(after["train"]) < set(before["train"])
    (sampled,) = finding(some, "negatives-sampled")
    assert f"it had {len(before['train']):,} rows" in sampled["message"]


def test_the_same_request_is_done_already(tmp_path: Path, make_log: Any, timed: LogSchema) -> None:
    frame, out = with_times(make_log()), tmp_path / "out"
    first = run(timed, frame, out, split_by="time", purge="2d", test_fraction=0.1)
    same = run(timed, frame, out, split_by="time", purge=timedelta(days=2), test_fraction=0.1)
    assert same.fingerprint == first.fingerprint
    for options in ({}, {"split_by": "group"}, {"split_by": "time"}):
        with pytest.raises(InputError, match="holds a prepared log of another request"):
            run(timed, frame, out, test_fraction=0.1, **options)


def test_random_splits_are_written_as_ever(
    tmp_path: Path, make_log: Any, schema: LogSchema
) -> None:
    splits = LogSplits(schema, FrameSource(make_log()))
    log = prepare(splits, tmp_path / "out", seed=3, shard_rows=500)
    assert "division" not in json.loads((log.folder / "manifest.json").read_text())
    shards = [shard.sha256 for split in log.manifest.splits.values() for shard in split.shards]
    text = "\n".join([schema.to_yaml(), "3", *shards])
    assert log.fingerprint == hashlib.sha256(text.encode()).hexdigest()
    options = [{"valid": 0.1, "test": 0.25}, 3, 500, "error"]
    request = json.loads((log.folder / "request.json").read_text())["request"]
    assert request == request_hash(splits, options)


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
