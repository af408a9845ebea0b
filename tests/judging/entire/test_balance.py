"""Balance of features against means and shares by hand, merged, and in bounded memory."""

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest

from postclick.errors import InputError
from postclick.judging.entire import BalanceSums, feature_sums
from postclick.judging.entire.feature_sums import LevelSums
from postclick.judging.value_names import OTHERS

ROWS = 6_000


def drawn() -> tuple[pl.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """A frame, clicks, their propensities and weights."""
    rng = np.random.default_rng(0)
    device = rng.choice(["ios", "android", "desktop", "tv"], ROWS, p=[0.3, 0.5, 0.195, 0.005])
    price = np.where(rng.random(ROWS) < 0.1, np.nan, 1e6 + rng.normal(size=ROWS))
    ctr = 1 / (1 + np.exp(2 - (device == "ios") - 0.7 * np.nan_to_num(price - 1e6)))
    frame = pl.DataFrame({"device": device, "price": price, "slot": rng.integers(1, 4, ROWS)})
    frame = frame.with_columns(pl.when(pl.col("slot") < 3).then("slot").alias("slot"))
    return frame, rng.random(ROWS) < ctr, ctr, rng.integers(1, 3, ROWS).astype(float)


def by_hand(frame: pl.DataFrame, size: np.ndarray, others: np.ndarray) -> dict[str, list[float]]:
    """Differences of shares and of means, in deviations of all impressions."""
    found: dict[str, list[float]] = {}
    for name in ("device", "slot"):
        found[name] = []
        for level in [*frame[name].drop_nulls().unique(), None]:
            is_it = np.array([value == level for value in frame[name].to_list()])
            share = np.average(is_it, weights=size)
            if 0.01 <= share < 1:
                off = np.average(is_it, weights=others) - share
                found[name].append(off / np.sqrt(share * (1 - share)))
    for name in ("price", "slot"):
        x = frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        there = ~np.isnan(x)
        mean = np.average(x[there], weights=size[there])
        deviation = np.sqrt(np.average((x[there] - mean) ** 2, weights=size[there]))
        off = np.average(x[there], weights=others[there]) - mean
        found.setdefault(name, []).append(off / deviation)
    return found


def test_differences_by_hand() -> None:
    frame, click, ctr, weight = drawn()
    sums = BalanceSums(clip=0.1)
    sums.add(frame, click, ctr, weight)
    balance = sums.balance()
    before = by_hand(frame, weight, weight * click)
    after = by_hand(frame, weight, weight * click / np.maximum(ctr, 0.1))
    assert {one.feature: one.kind for one in balance.features} == {
        "device": "category",
        "price": "number",
        "slot": "both",
    }
    for one in balance.features:
        for values, worst, rms in (
            (before[one.feature], one.before, one.rms_before),
            (after[one.feature], one.after, one.rms_after),
        ):
            assert one.compared == len(values)
            assert worst == pytest.approx(max(values, key=abs), rel=1e-6)
            assert rms == pytest.approx(np.sqrt(np.mean(np.square(values))), rel=1e-6)
    assert balance.largest_before == pytest.approx(max(abs(v) for k in before.values() for v in k))
    a = (weight / np.maximum(ctr, 0.1))[click]
    assert balance.effective_sample_size == pytest.approx(a.sum() ** 2 / (a @ a))
    assert balance.noise == pytest.approx(balance.effective_sample_size**-0.5)


def test_right_propensities_balance_and_flags_say_so() -> None:
    frame, click, ctr, _ = drawn()
    sums = BalanceSums(["device", "price"], clip=0.0)
    sums.add(frame, click, ctr)
    right = sums.balance()
    assert right.largest_before > 0.3 and right.largest_after < 0.1
    assert not any(one.flagged for one in right.features)
    sums = BalanceSums(["device", "price"], clip=0.0)
    sums.add(frame, click, np.full(ROWS, 0.2))
    assert {one.feature for one in sums.balance().features if one.flagged} == {"device", "price"}


def test_frames_in_pieces_and_merged() -> None:
    frame, click, ctr, weight = drawn()
    whole, left, right = BalanceSums(), BalanceSums(), BalanceSums()
    whole.add(frame, click, ctr, weight)
    for start in range(0, ROWS, 1_000):
        rows = slice(start, start + 1_000)
        side = left if start < 3_000 else right
        side.add(frame[rows], click[rows], ctr[rows], weight[rows])
    merged = BalanceSums().merge(left).merge(right).merge(BalanceSums())
    for one, other in zip(merged.balance().features, whole.balance().features, strict=True):
        assert one.feature == other.feature and one.worst_after == other.worst_after
        assert one.after == pytest.approx(other.after, rel=1e-6)
        assert one.rms_before == pytest.approx(other.rms_before, rel=1e-6)
    json.dumps(merged.balance().as_dict(), allow_nan=False)


def test_many_levels_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_sums, "MOST", 50)
    rng = np.random.default_rng(0)
    sums = LevelSums(("size",))
    counted: Counter[str] = Counter()
    for _ in range(30):
        values = np.where(rng.random(1_000) < 0.05, "often", rng.integers(0, 10**6, 1_000))
        counted.update(values.tolist())
        sums.add(pl.DataFrame({"id": values, "size": np.ones(1_000)}), "id")
    kept = dict(sums.frame().rows())
    assert len(kept) <= 50
    assert kept["often"] == counted["often"]
    assert sum(kept.values()) == 30_000
    assert kept[OTHERS] > 28_000


def test_ids_and_constants_are_not_compared() -> None:
    frame = pl.DataFrame(
        {"user": np.arange(ROWS).astype(str), "one": ["x"] * ROWS, "n": [2.5] * ROWS}
    )
    sums = BalanceSums()
    sums.add(frame, np.arange(ROWS) % 7 == 0, np.full(ROWS, 1 / 7))
    assert sums.balance().features == ()
    assert sums.balance().largest_after == 0.0


def test_without_clicks_there_is_nothing_to_compare() -> None:
    frame, _, ctr, _ = drawn()
    sums = BalanceSums()
    sums.add(frame, np.zeros(ROWS), ctr)
    found = sums.balance()
    assert found.features == () and found.noise is None
    assert BalanceSums().balance().features == ()


def test_wrong_input_is_refused() -> None:
    frame, click, ctr, _ = drawn()
    with pytest.raises(InputError, match="the clip is 1.5"):
        BalanceSums(clip=1.5)
    with pytest.raises(InputError, match="the propensity is 0 on"):
        BalanceSums(clip=0.0).add(frame, click, np.zeros(ROWS))
    with pytest.raises(InputError, match="propensity is NaN or infinite on"):
        BalanceSums().add(frame, click, np.full(ROWS, np.nan))
    one, other = BalanceSums(["price"]), BalanceSums(["device"])
    for sums in (one, other):
        sums.add(frame, click, np.where(click, ctr, np.nan))
    with pytest.raises(InputError, match="these sums are of other features"):
        one.merge(other)
