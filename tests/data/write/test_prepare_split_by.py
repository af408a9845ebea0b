"""`prepare` with splits by time: every row is somewhere, and in the right place."""

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

from helpers.timed_rows import (
    ROWS,
    SECONDS,
    TEXTS,
    every_row,
    finding,
    numbered,
    places,
    run,
    with_times,
)
from helpers.written import digests
from postclick.data.manifest import Manifest
from postclick.data.prepared import PreparedLog
from postclick.data.read import chunks
from postclick.data.read.log_source import FrameSource
from postclick.data.read.opening import open_log
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.data.write.request import request_hash
from postclick.errors import InputError


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
        patch.setattr(chunks, "CHUNK_ROWS", chunk)
        log, says = run_or_refuse(timed, frame, out, split_by="time", on_bad_rows="drop", **options)
    if log is None:
        assert re.search(
            "too few to split|all its rows|no row has a time|no click|no conv|is clicked"
            "|has a conversion",
            says,
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
