"""What each world promises of its own: position, sparseness, shift, memory."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from helpers.commands import succeed
from postclick.datasets.simulated import WORLDS, SimulatedLog, get_world, simulate
from postclick.datasets.simulated.describe import oracle_lines, variance_lines, world_lines


@pytest.mark.parametrize("world", WORLDS)
def test_defaults_are_the_worlds_own(world: str) -> None:
    own = get_world(world)
    log = simulate(world, rows=1_000, seed=2)
    names = ("ctr", "cvr", "dependence", "users", "items")
    assert {n: log.settings[n] for n in names} == {n: getattr(own, n) for n in names}
    given = simulate(world, rows=1_000, seed=2, ctr=own.ctr, cvr=own.cvr, dependence=own.dependence)
    assert given.train.equals(log.train)
    assert given.oracle == log.oracle


@cache
def crowded(world: str) -> pl.DataFrame:
    """So few users and items that every pair is shown often, in both splits."""
    log = simulate(world, rows=60_000, seed=4, users=40, items=40)
    splits = [log.train.with_columns(test=False), log.test.with_columns(test=True)]
    return pl.concat(splits)


@pytest.mark.parametrize("world", ["confounded", "position", "sparse", "shift", "interactions"])
def test_position_moves_clicks_and_not_conversions(world: str) -> None:
    frame = crowded(world)
    spread = frame.group_by("user", "item").agg(
        pl.col("position").n_unique().alias("positions"),
        (pl.col("true_cvr").max() - pl.col("true_cvr").min()).alias("cvr"),
        (pl.col("true_ctr").max() / pl.col("true_ctr").min()).alias("ctr"),
    )
    assert spread["cvr"].max() < 1e-12
    assert spread.filter(pl.col("positions") > 1)["ctr"].min() > 1.01


def test_position_decides_most_clicks_of_its_world_only() -> None:
    def first_over_last(world: str) -> float:
        means = crowded(world).group_by("position").agg(pl.col("true_ctr").mean())
        by_position = dict(means.iter_rows())
        return float(by_position[1] / by_position[10])

    assert first_over_last("position") > 30
    assert first_over_last("confounded") < 5


def test_position_falls_evenly_into_users_and_items() -> None:
    """So it is as if randomised: what it does to clicks is a fair look at unclicked impressions."""
    frame = crowded("position")
    cvr = frame.group_by("position").agg(pl.col("true_cvr").mean())["true_cvr"]
    assert cvr.max() / cvr.min() < 1.15


def test_sparse_has_the_papers_rates() -> None:
    frame = simulate("sparse", rows=400_000, seed=0).train
    clicked = frame.filter(pl.col("click") == 1)
    assert clicked.height / frame.height == pytest.approx(0.04, rel=0.05)
    assert 30 < clicked["conversion"].sum() < 95


def test_shift_leaves_the_truth_of_each_user_and_item_as_it_is() -> None:
    frame = crowded("shift")
    keys = ["user", "item", "position"]
    values = [pl.col("true_ctr").first(), pl.col("true_cvr").first()]
    train, test = (frame.filter(pl.col("test") == t).group_by(keys).agg(values) for t in (0, 1))
    both = train.join(test, on=keys)
    assert both.height > 2_000
    for column in ("true_ctr", "true_cvr"):
        assert (both[column] - both[f"{column}_right"]).abs().max() < 1e-12


def shift_figures(log: SimulatedLog) -> tuple[float, float, float]:
    """Test over train: mean true CTR and CVR, and the rank correlation of item popularity."""
    ratios = [log.test[c].mean() / log.train[c].mean() for c in ("true_ctr", "true_cvr")]
    counts = [part.group_by("item").len() for part in (log.train, log.test)]
    joined = counts[0].join(counts[1], on="item")
    popularity = joined.select(pl.corr("len", "len_right", method="spearman")).item()
    return ratios[0], ratios[1], popularity


@pytest.mark.parametrize("seed", range(3))
def test_shift_shows_other_users_and_items_in_the_test_split(seed: int) -> None:
    ctr, cvr, popularity = shift_figures(simulate("shift", rows=80_000, seed=seed))
    assert ctr < 0.8
    assert cvr < 0.7
    assert abs(popularity) < 0.2
    ctr, cvr, popularity = shift_figures(simulate("confounded", rows=80_000, seed=seed))
    assert ctr == pytest.approx(1.0, abs=0.05)
    assert cvr == pytest.approx(1.0, abs=0.05)
    assert popularity > 0.6


def mix_moved(world: str) -> float:
    """Sum over categories of how far their shares of train and test are apart."""
    log = simulate(world, rows=80_000, seed=0)
    train, test = (
        dict(part["category"].value_counts(normalize=True).iter_rows())
        for part in (log.train, log.test)
    )
    return float(sum(abs(train.get(name, 0) - test.get(name, 0)) for name in train | test))


def test_shift_changes_the_mix_of_attributes() -> None:
    assert mix_moved("shift") > 0.2
    assert mix_moved("confounded") < 0.06


# One of each way to draw.
MEASURED = ("hidden", "shift", "aliccp_like", "aliexpress_like", "interactions", "deep", "drifting")
PEAK = """
import sys, tempfile
from pathlib import Path
from postclick.datasets.simulated import write_simulated

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

start = peak()
with tempfile.TemporaryDirectory() as folder:
    write_simulated(Path(folder) / "log", sys.argv[1], rows=1_000_000)
print((peak() - start) / 1_000_000)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("world", MEASURED)
def test_memory_stays_below_what_is_documented(world: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, world],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert 20 < float(done.stdout) < get_world(world).bytes_per_row


def test_the_command_knows_every_world() -> None:
    described = " ".join(succeed("simulate", "--help").split())
    listed = succeed("simulate", "--worlds").splitlines()
    assert listed == world_lines()
    for name in WORLDS:
        assert name in described


def test_the_command_prints_what_world_json_says(tmp_path: Path) -> None:
    text = succeed("simulate", tmp_path / "log", "--world", "position", "--rows", "2000")
    world = json.loads((tmp_path / "log" / "world.json").read_text(encoding="utf-8"))
    assert world["settings"]["rows"] == 2_000
    assert world["settings"]["ctr"] == get_world("position").ctr
    assert text.splitlines()[1:] == oracle_lines(world["oracle"])


def test_the_command_prints_the_shares_of_variance(tmp_path: Path) -> None:
    out = tmp_path / "log"
    text = succeed("simulate", out, "--world", "deep", "--rows", "2000", "--json")
    world = json.loads((out / "world.json").read_text(encoding="utf-8"))
    assert json.loads(text) == {"out": str(out), **{k: world[k] for k in ("oracle", "variance")}}
    text = succeed("simulate", tmp_path / "again", "--world", "deep", "--rows", "2000")
    assert text.splitlines()[-3:] == variance_lines(world["variance"])
