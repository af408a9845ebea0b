"""Simulated logs: rates, coupling of clicks and conversions, truth, determinism, files."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from postclick.data.schema import LogSchema
from postclick.datasets.simulated import WORLDS, SimulatedLog, get_world, simulate, write_simulated
from postclick.datasets.simulated.describe import world_lines
from postclick.datasets.simulated.layouts.shop import SHARES
from postclick.errors import InputError

ROWS = 80_000


@cache
def drawn(world: str) -> SimulatedLog:
    return simulate(world, rows=ROWS, seed=3)


def everything(log: SimulatedLog) -> pl.DataFrame:
    return pl.concat([log.train, log.test])


def mean_cvr_ratio(frame: pl.DataFrame) -> float:
    """Mean true CVR of the clicked over that of the unclicked, weighted by true CTR."""
    ctr, cvr = frame["true_ctr"].to_numpy(), frame["true_cvr"].to_numpy()
    return float(np.average(cvr, weights=ctr) / np.average(cvr, weights=1 - ctr))


@pytest.mark.parametrize("world", WORLDS)
def test_rates_and_split(world: str) -> None:
    log, own = drawn(world), get_world(world)
    frame = everything(log)
    assert (log.train.height, log.test.height) == (60_000, 20_000)
    assert frame["true_ctr"].mean() == pytest.approx(own.ctr, rel=1e-5)
    expected_cvr = np.average(frame["true_cvr"], weights=frame["true_ctr"])
    assert expected_cvr == pytest.approx(own.cvr, rel=1e-5)
    clicks = frame["click"].sum()
    assert abs(clicks - ROWS * own.ctr) < 4.5 * np.sqrt(ROWS * own.ctr)
    conversions = frame[log.schema.conversion.column].sum()
    assert abs(conversions - clicks * own.cvr) < 4.5 * np.sqrt(clicks * own.cvr)


@pytest.mark.parametrize("world", WORLDS)
def test_labels_agree(world: str) -> None:
    log = drawn(world)
    frame = everything(log)
    product = frame["click"] * frame["potential_conversion"]
    assert (frame[log.schema.conversion.column] == product).all()
    for column in ("true_ctr", "true_cvr"):
        assert 0 < frame[column].min() < frame[column].max() < 1
    assert set(frame.columns) == set(log.schema.columns)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(
    ("truth", "label"), [("true_ctr", "click"), ("true_cvr", "potential_conversion")]
)
def test_truth_is_calibrated_by_decile(world: str, truth: str, label: str) -> None:
    frame = everything(drawn(world)).sort(truth)
    for part in frame.iter_slices(ROWS // 10):
        p = part[truth].to_numpy()
        error = np.sqrt((p * (1 - p)).sum())
        assert abs(part[label].sum() - p.sum()) < 4.5 * error


@pytest.mark.parametrize("world", WORLDS)
def test_click_and_potential_conversion_are_independent_given_truth(world: str) -> None:
    frame = everything(drawn(world))
    p, q = frame["true_ctr"].to_numpy(), frame["true_cvr"].to_numpy()
    surplus = (frame["click"].to_numpy() - p) * (frame["potential_conversion"].to_numpy() - q)
    assert abs(surplus.sum()) < 4.5 * np.sqrt((p * (1 - p) * q * (1 - q)).sum())


@pytest.mark.parametrize(
    ("world", "low", "high"),
    [
        ("independent", 0.85, 1.15),
        ("confounded", 2.0, 4.0),
        ("adverse", 0.2, 0.5),
        ("hidden", 1.6, 3.0),
        ("position", 0.85, 1.15),
        ("sparse", 2.0, 4.0),
        ("shift", 2.0, 4.0),
        ("aliccp_like", 2.0, 4.5),
        ("aliexpress_like", 2.0, 4.5),
        ("interactions", 2.0, 4.0),
        ("deep", 2.0, 4.5),
        ("drifting", 2.0, 4.5),
        ("selection_iv", 1.3, 2.2),
    ],
)
def test_selection_has_the_sign_of_the_world(world: str, low: float, high: float) -> None:
    assert low < mean_cvr_ratio(everything(drawn(world))) < high
    clicked = everything(drawn(world)).group_by("click").agg(pl.col("true_cvr").mean())
    by_click = dict(clicked.iter_rows())
    assert low < by_click[1] / by_click[0] < high


def test_features_do_not_explain_hidden_selection() -> None:
    """Among impressions of alike users and items, clicking tells of CVR only if it is hidden."""

    def within_cells(world: str) -> float:
        log = simulate(world, rows=ROWS, seed=3, users=20, items=20)
        cells = everything(log).group_by("user", "item", "position")
        parts = [cell for _, cell in cells if cell.height >= 10]
        assert len(parts) > 1000
        clicked = np.concatenate([c["true_ctr"] / c["true_ctr"].sum() for c in parts])
        unclicked = np.concatenate([(1 - c["true_ctr"]) / (1 - c["true_ctr"]).sum() for c in parts])
        cvr = np.concatenate([c["true_cvr"] for c in parts])
        return float(cvr @ clicked / (cvr @ unclicked))

    assert within_cells("confounded") == pytest.approx(1.0, abs=1e-9)
    assert within_cells("hidden") > 1.4


def test_dependence_sets_the_selection() -> None:
    ratios = [
        mean_cvr_ratio(everything(simulate("confounded", ROWS, 3, dependence=d)))
        for d in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.5
    assert ratios[-1] > 2.0
    hidden = mean_cvr_ratio(everything(simulate("hidden", ROWS, 3, dependence=-0.4)))
    assert hidden < 0.7


def test_dependence_is_the_correlation_of_the_signals() -> None:
    """At one position the logits differ from the signals by scale and intercept alone."""
    frame = everything(drawn("confounded"))
    logits = frame.select(
        *((pl.col(c) / (1 - pl.col(c))).log().alias(c) for c in ("true_ctr", "true_cvr")),
        "position",
    )
    for _, part in logits.group_by("position"):
        assert part.select(pl.corr("true_ctr", "true_cvr")).item() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("world", WORLDS)
def test_same_seed_same_bytes(world: str, tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_simulated(tmp_path / name, world, rows=2_000, seed=seed, users=500, items=200)
    for file in ("train.parquet", "test.parquet", "schema.yaml", "world.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    a, c = (tmp_path / name / "train.parquet" for name in "ac")
    assert a.read_bytes() != c.read_bytes()


def test_users_and_items_do_not_depend_on_world_or_rows() -> None:
    people = [
        everything(log).unique("user").sort("user").select("user", "city", "activity")
        for log in (drawn("adverse"), simulate("hidden", rows=ROWS // 2, seed=3))
    ]
    both = people[0].join(people[1], on="user")
    assert both.height > 5_000
    assert (both["city"] == both["city_right"]).all()
    assert (both["activity"] == both["activity_right"]).all()


def test_frequencies_fall_as_ids_rise() -> None:
    counts = everything(drawn("confounded")).group_by("user").len().sort("user")["len"].to_numpy()
    assert counts[:10].mean() > 3 * counts[100:200].mean() > 9 * counts[2_000:4_000].mean()


def test_most_of_the_signal_is_in_attributes() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    ids = sum(SHARES[name] for name in ("user", "item", "shop", "match"))
    assert 1 - ids >= 0.6


def test_written_folder(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "log"
    log = write_simulated(out, "adverse", rows=2_000, seed=1, ctr=0.1)
    assert pl.read_parquet(out / "train.parquet").equals(log.train)
    assert pl.read_parquet(out / "test.parquet").equals(log.test)
    assert LogSchema.load(out / "schema.yaml") == log.schema
    assert set(log.schema.columns) == set(log.train.columns)
    world = json.loads((out / "world.json").read_text(encoding="utf-8"))
    assert world["oracle"] == log.oracle
    assert world["settings"]["ctr"] == 0.1
    assert world["settings"]["dependence"] == WORLDS["adverse"].dependence
    assert [path.name for path in out.parent.iterdir()] == ["log"]


def test_existing_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_simulated(tmp_path / "empty", rows=1_000)
    with pytest.raises(InputError, match="is not empty"):
        write_simulated(tmp_path / "empty", rows=1_000)
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        write_simulated(tmp_path / "file", rows=1_000)
    with pytest.raises(InputError, match="cannot be written"):
        write_simulated(tmp_path / "file" / "log", rows=1_000)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_nothing_is_left_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(folder: Path, log: SimulatedLog) -> None:
        log.train.write_parquet(folder / "train.parquet")
        raise OSError("No space left on device")

    monkeypatch.setattr("postclick.datasets.simulated.writing._write", breaks_off)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_simulated(tmp_path / "log", rows=1_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"world": "flat"}, "independent, confounded, adverse, hidden"),
        ({"rows": 10}, "rows"),
        ({"rows": 1000.5}, "rows"),
        ({"seed": -1}, "seed"),
        ({"ctr": 0.0}, "ctr"),
        ({"cvr": 1.0}, "cvr"),
        ({"ctr": float("nan")}, "ctr"),
        ({"dependence": 1.01}, "dependence"),
        ({"test_fraction": 1.0}, "test_fraction"),
        ({"users": 1}, "users"),
        ({"items": "many"}, "items"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(**{"rows": 1_000, **settings})


@pytest.mark.parametrize("dependence", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("world", WORLDS)
def test_extreme_settings_hold(world: str, dependence: float) -> None:
    log = simulate(world, rows=1_000, dependence=dependence, ctr=0.9, cvr=1e-4, users=20, items=20)
    assert everything(log)["true_ctr"].mean() == pytest.approx(0.9, rel=1e-4)
    assert all(value is None or np.isfinite(value) for value in log.oracle.values())


def test_every_world_has_a_line_of_its_own() -> None:
    lines = world_lines()
    assert [line.split()[0] for line in lines] == list(WORLDS)
    assert len({line.split(": ", 1)[1] for line in lines}) == len(WORLDS)
    assert "4.00 % clicks, 0.50 % of them convert, 2,000,000 rows" in lines[5]
