"""How often the exposure test finds an unseen cause, and how often one that is not there.

    python benchmarks/exposure_power.py [--draws 20] [--conversions 1000 3000 10000]

Of each simulated world fresh logs are drawn. A logistic regression of all features but the position
(ids and categories one-hot, numbers standardized) is trained on one half, pCVR on its clicked
impressions, pCTR on up to 50,000 of all; the test is made on the clicked impressions of the other
half, with click rates from all its impressions. `true pCVR` is the test on the very probabilities
that conversions were drawn from: its alarms are false, one and all.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from postclick.datasets.simulated import World, get_world
from postclick.datasets.simulated.impressions import draw_impressions
from postclick.judging.exposure import ExposureTest, exposure_test

CATEGORIES = (
    *("user", "item", "shop", "age_band"),
    *("gender", "city", "device", "category"),
)
NUMBERS = (pl.col("activity").log1p(), pl.col("price").log1p(), pl.col("rating"))
CTR, CVR, SPARSE_CTR, SPARSE_CVR = 0.3, 0.2, 0.05, 0.04
STRONG = 1.5
# What fits memory and patience; more rows are not drawn.
MOST_ROWS, CTR_ROWS = 2_000_000, 50_000


@dataclass(frozen=True)
class Case:
    """A world to draw from, what it is called, and its rates."""

    name: str
    world: World
    ctr: float = CTR
    cvr: float = CVR


def cases() -> Iterator[Case]:
    """Those without an unseen cause first."""
    for name in ("independent", "confounded", "adverse", "shift"):
        yield Case(name, get_world(name))
    yield Case("sparse", get_world("sparse"), SPARSE_CTR, SPARSE_CVR)
    yield Case("position", get_world("position"))
    strong = replace(get_world("confounded"), position_sd=STRONG)
    yield Case("confounded, strong position", strong)
    hidden = get_world("hidden")
    yield Case("hidden", hidden)
    yield Case("hidden, sparse", hidden, SPARSE_CTR, SPARSE_CVR)
    yield Case("hidden, strong position", replace(hidden, position_sd=STRONG))
    yield Case("selection_iv", get_world("selection_iv"))


class Features:
    """One-hot categories and standardized numbers of a frame, sparse; unknown ids are no column."""

    def __init__(self, train: pl.DataFrame) -> None:
        self._values = [train.select(pl.col(name).unique()).with_row_index() for name in CATEGORIES]
        self._starts = np.cumsum([0, *(len(values) for values in self._values)])
        numbers = train.select(NUMBERS).to_numpy()
        self._mean, self._spread = numbers.mean(axis=0), numbers.std(axis=0)

    def __call__(self, frame: pl.DataFrame) -> sparse.csr_matrix:
        many = len(CATEGORIES)
        columns = np.empty((len(frame), many + len(NUMBERS)), np.int32)
        cells = np.ones(columns.shape, np.float32)
        for k, (name, values) in enumerate(zip(CATEGORIES, self._values, strict=True)):
            found = frame.select(name).join(values, on=name, how="left", maintain_order="left")
            cells[:, k] = found["index"].is_not_null().to_numpy()
            columns[:, k] = found["index"].fill_null(0).to_numpy() + self._starts[k]
        columns[:, many:] = self._starts[-1] + np.arange(len(NUMBERS))
        cells[:, many:] = (frame.select(NUMBERS).to_numpy() - self._mean) / self._spread
        ends = np.arange(len(frame) + 1) * columns.shape[1]
        shape = len(frame), int(self._starts[-1]) + len(NUMBERS)
        return sparse.csr_matrix((cells.ravel(), columns.ravel(), ends), shape)


def predicted(train: pl.DataFrame, label: str, test: pl.DataFrame) -> np.ndarray:
    """Probabilities of `label` in `test` by a model of the features without the position."""
    features = Features(train)
    model = LogisticRegression(C=0.3, tol=1e-3, max_iter=100)
    model.fit(features(train), train[label].to_numpy())
    return np.asarray(model.predict_proba(features(test))[:, 1])


def judged(case: Case, conversions: int, seed: int) -> dict[str, ExposureTest]:
    """The test of the model, of the model with its pCTR, and of the true pCVR."""
    half = round(conversions / case.ctr / case.cvr)
    frame = draw_impressions(
        case.world, case.world.dependence, seed=seed, rows=2 * half, test_rows=half,
        users=2_000, items=400, ctr=case.ctr, cvr=case.cvr,
    ).frame  # fmt: skip
    train, shown = frame[:half], frame[half:]
    rates = shown.group_by("position").agg(pl.col("click").mean())
    ctr = dict(zip(rates["position"].to_list(), rates["click"].to_list(), strict=True))
    clicked = shown.filter(pl.col("click") == 1)
    pcvr = predicted(train.filter(pl.col("click") == 1), "conversion", clicked)
    pctr = predicted(train[:CTR_ROWS], "click", clicked)
    v, position = clicked["conversion"].to_numpy(), clicked["position"].to_numpy()
    return {
        "model": exposure_test(pcvr, v, position, ctr=ctr),
        "with pCTR": exposure_test(pcvr, v, position, ctr=ctr, pctr=pctr),
        "true": exposure_test(clicked["true_cvr"].to_numpy(), v, position, ctr=ctr),
    }


def row(case: Case, conversions: int, found: list[dict[str, ExposureTest]]) -> list[str]:
    """Cells of the table: means over draws, alarms in percent of them."""
    of_model = [one["model"] for one in found]

    def alarms(kind: str) -> str:
        trends = [one[kind].trend for one in found]
        return f"{100 * np.mean([one is not None and one.p < 0.05 for one in trends]):.0f} %"

    def ends(k: int) -> str:
        return f"{np.mean([one.values[k].pcoc for one in of_model]):.2f}"

    strength = np.mean([one["with pCTR"].trend.strength for one in found])
    any_way = np.mean([one.omnibus is not None and one.omnibus.p < 0.05 for one in of_model])
    return [
        case.name,
        f"{conversions:,}",
        f"{np.mean([one.values[0].ctr for one in of_model]):.2f}, "
        f"{np.mean([one.values[-1].ctr for one in of_model]):.3f}",
        f"{ends(0)}, {ends(-1)}",
        alarms("model"),
        alarms("with pCTR"),
        f"{100 * any_way:.0f} %",
        f"{strength:.2f}",
        f"{100 * np.mean([one['with pCTR'].power for one in found]):.0f} %",
        "" if case.world.hidden else alarms("true"),
    ]


HEADS = (
    "world", "conversions", "CTR at 1, 10", "PCOC at 1, 10", "alarms", "with pCTR", "omnibus",
    "strength", "power said", "alarms, true pCVR",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--conversions", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--only", help="worlds whose name holds this text")
    given = parser.parse_args()
    began = time.perf_counter()
    for line in (HEADS, ["---"] * len(HEADS)):
        print("| " + " | ".join(line) + " |")
    for number, case in enumerate(cases()):
        for conversions in given.conversions:
            too_many = 2 * conversions / case.ctr / case.cvr > MOST_ROWS
            if too_many or (given.only and given.only not in case.name):
                continue
            # No two cases share their dice.
            seeds = range(1_000 * number, 1_000 * number + given.draws)
            found = [judged(case, conversions, seed) for seed in seeds]
            print("| " + " | ".join(row(case, conversions, found)) + " |", flush=True)
    print(f"\n{given.draws} draws each, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
