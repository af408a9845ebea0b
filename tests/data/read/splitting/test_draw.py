"""Which split a row gets: random draws as they ever were, groups whole, times in order."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postclick.data.read.splitting.boundaries import Boundaries
from postclick.data.read.splitting.draw import LEFT_OUT, PLACES, PURGED, UNTIMED, Draw
from postclick.data.read.splitting.durations import duration_micros, duration_text
from postclick.data.row_hash import key_hash, row_hash
from postclick.errors import InputError

SHARES = {"valid": 0.1, "test": 0.25}
CLICK = pl.Series([0, 1] * 10_000)
ROWS = np.arange(20_000)


def test_random_draws_are_what_they_were() -> None:
    """Numbers of an earlier version."""
    places = Draw("train", SHARES, 0.5, seed=7).places(ROWS, CLICK)
    assert np.bincount(places).tolist() == [9792, 2015, 5041, 3152]
    assert "".join(map(str, places[:40])) == "2122020032013022220002312020222020022020"


def test_groups_stay_together() -> None:
    groups = pl.Series(np.random.default_rng(0).integers(-(2**62), 2**62, 2_000)).sample(
        20_000, with_replacement=True, seed=1
    )
    groups = groups.set(pl.Series(ROWS % 10 == 0), 0)
    draw = Draw("train", SHARES, seed=3, by_group=True)
    places = draw.places(ROWS, CLICK, group=groups)
    table = pl.DataFrame({"group": groups, "place": places})
    known = table.filter(pl.col("group") != 0)
    assert known.group_by("group").agg(pl.col("place").n_unique())["place"].max() == 1
    of_groups = known.unique("group")["place"].value_counts(sort=True)["count"].to_list()
    for count, share in zip(of_groups, (0.65, 0.25, 0.1), strict=True):
        assert abs(count / 2_000 - share) < 0.04
    # Rows without a group are drawn one by one, as at random.
    alone = groups.to_numpy() == 0
    assert np.array_equal(places[alone], Draw("train", SHARES, seed=3).places(ROWS, CLICK)[alone])
    # Neither other rows nor their order change where a group goes.
    some = np.flatnonzero(ROWS % 3 == 1)
    part = draw.places(some, CLICK.gather(some), group=groups.gather(some))
    grouped = ~alone[some]
    assert np.array_equal(part[grouped], places[some][grouped])
    other = Draw("train", SHARES, seed=4, by_group=True).places(ROWS, CLICK, group=groups)
    assert not np.array_equal(other, places)


def test_hashes_of_rows_are_hashes_of_numbers() -> None:
    keys = np.arange(1, 100, dtype=np.uint64)
    assert key_hash(keys, 5, 2).tolist() == row_hash(0, 99, 5, 2).tolist()


@given(
    st.lists(st.none() | st.integers(0, 40).map(float), min_size=1, max_size=60),
    st.integers(0, 20),
    st.integers(1, 20),
    st.integers(0, 12),
    st.sets(st.sampled_from(["valid", "test"]), min_size=1),
    st.sampled_from([1.0, 0.5]),
)
def test_divided_by_time(
    times: list[float | None], first: int, more: int, purge: int, drawn: set[str], rate: float
) -> None:
    """Every row has the place that the words of the documentation give it."""
    starts = {"valid": float(first), "test": float(first + more)}
    starts = {name: start for name, start in starts.items() if name in drawn}
    draw = Draw("train", dict.fromkeys(starts, 0.1), rate, times=Boundaries(starts, purge=purge))
    rows, click = np.arange(len(times)), pl.Series([k % 2 for k in range(len(times))])
    places = draw.places(rows, click, pl.Series(times, dtype=pl.Float64))
    for time, clicked, number in zip(times, click, places, strict=True):
        place = PLACES[number]
        if time is None:
            assert place == UNTIMED
            continue
        split = max(
            (name for name in starts if time >= starts[name]), default="train", key=starts.get
        )
        later = [s for s in starts.values() if s > time]
        if later and time >= min(later) - purge and purge:
            assert place == PURGED[split]
        elif place == LEFT_OUT:
            assert (split, clicked, rate < 1) == ("train", 0, True)
        else:
            assert place == split


@pytest.mark.parametrize(
    ("text", "seconds", "short"),
    [
        *(("30m", 1800, "30m"), ("12h", 43200, "12h"), ("7d", 604800, "7d"), ("1w", 604800, "7d")),
        *(
            ("90s", 90, "90s"),
            (" 1.5 H ", 5400, "90m"),
            ("48h", 172800, "2d"),
            ("0.5s", 0.5, "0.5s"),
        ),
    ],
)
def test_durations(text: str, seconds: float, short: str) -> None:
    micros = duration_micros(text, "purge")
    assert micros == seconds * 1e6
    assert duration_text(micros) == short
    assert duration_micros(short, "purge") == micros


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-7d", "0d", "7 days ago", "1y", "7d12h", "1e3s", "٣d"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InputError, match=r"^purge is .*: give a duration above 0, such as 30m"):
        duration_micros(text, "purge")
