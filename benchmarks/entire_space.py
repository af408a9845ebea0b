"""Estimates over all impressions without truth, held against the truth of simulated worlds.

    python benchmarks/entire_space.py [--draws 20] [--rows 30000] [--worlds hidden] [--clips .01]

Each draw is a new world of that name, users and items included. A logistic regression of clicked
training rows is the judged model, one of all training rows its pCTR. On the test rows mean CVR,
PCOC, NLL and AUC of its pCVR over all impressions are estimated with three propensities: the true
one, as if logged; the model's pCTR; one cross-fitted on the test rows, in three folds for speed.
The truth is that of the same test rows. Errors are means over draws, of mean CVR, PCOC and NLL in
percent of the truth, of AUC in points (of .01); in brackets the share of 95 % intervals that held
the truth. `clicked` are the plain figures of clicked rows, which many would take for the answer.
SMD is the largest standardised mean difference of a feature before and after weighting, and
`clipped` the share of the weight of clicked rows that the clip has cut.

Some five minutes on one core.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import postclick
from postclick.judging.entire import (
    ESTIMATORS,
    METRICS,
    BalanceSums,
    ClickedRows,
    Estimate,
    UnitTotals,
    estimate_entire,
    fit_propensity,
)
from postclick.judging.entire.encoding import Encoding
from postclick.judging.entire.kinds import feature_kinds
from postclick.judging.entire.logistic import fit_logistic
from postclick.logits import sigmoid
from postclick.metrics.auc import weighted_auc

Floats = NDArray[np.float64]
WORLDS = ("independent", "confounded", "adverse", "hidden", "position", "sparse", "shift")
# Of those clicked one in ten converts, so that errors are not all noise; but in `sparse`, which is
# for the rates of the papers' logs, and is given four times the rows.
CVR, SPARSE_ROWS = 0.1, 4
FOLDS = 3
FEATURES = (
    *("user", "item", "shop", "age_band", "gender", "city", "device", "category", "position"),
    *("activity", "price", "rating"),
)
IDS = ("user", "item", "shop", "position")
NUMBERS = ("activity", "price", "rating")
PROPENSITIES = ("true", "pCTR", "fitted")
TITLES = {"mean_cvr": "mean CVR", "pcoc": "PCOC", "nll": "NLL", "auc": "AUC"}


def learned(train: pl.DataFrame, label: str, rows: pl.DataFrame) -> Floats:
    """What a logistic regression of the training rows says of others."""
    kinds = feature_kinds(rows.schema, FEATURES, categorical=IDS, numeric=NUMBERS)
    ones = np.ones(train.height)
    encoding = Encoding.learn(train, kinds, ones)
    positive = train[label].to_numpy() == 1
    model = fit_logistic(encoding.matrix(train), positive, ones, strength=1.0)
    return sigmoid(model.logit(encoding.matrix(rows)))


def truth(pcvr: Floats, true_cvr: Floats) -> dict[str, float]:
    loss = -true_cvr * np.log(pcvr) - (1.0 - true_cvr) * np.log1p(-pcvr)
    ranked = weighted_auc(pcvr, true_cvr, 1.0 - true_cvr)
    assert ranked is not None
    mean = float(true_cvr.mean())
    return {
        "mean_cvr": mean,
        "pcoc": float(pcvr.mean()) / mean,
        "nll": float(loss.mean()),
        "auc": ranked,
    }


# Propensity, clip, estimator (or "balance"), metric, error or value, and 1 where the interval held.
Found = tuple[str, float, str, str, float, float]


def draw(world: str, seed: int, rows: int, clips: Sequence[float]) -> Iterator[Found]:
    """All figures of one draw."""
    raw = postclick.simulate(
        world,
        rows=2 * rows,
        seed=seed,
        cvr=None if world == "sparse" else CVR,
        test_fraction=0.5,
        users=rows // 5,
        items=rows // 20,
    )
    train, test = raw.train, raw.test
    pcvr = learned(train.filter(pl.col("click") == 1), "conversion", test)
    click = test["click"].to_numpy() == 1
    conversion = test["conversion"].to_numpy() == 1
    unit = test["user"].to_numpy()
    true = truth(pcvr, test["true_cvr"].to_numpy())

    def clicked_with(propensity: Floats) -> ClickedRows:
        return ClickedRows.of(pcvr[click], conversion[click], propensity[click], unit[click])

    everyone, of_clicked = (UnitTotals(units=int(unit.max()) + 1) for _ in range(2))
    everyone.add(pcvr, unit)
    of_clicked.add(pcvr[click], unit[click])
    plain = estimate_entire(clicked_with(np.ones(click.size)), of_clicked)
    yield from compared("", 0.0, [one for one in plain.estimates if one.estimator == "snipw"], true)

    features = test.select(FEATURES)
    propensities = {
        "true": test["true_ctr"].to_numpy(),
        "pCTR": learned(train, "click", test),
        "fitted": fit_propensity(
            features, click, unit, categorical=IDS, numeric=NUMBERS, folds=FOLDS, seed=seed
        ),
    }
    for name, propensity in propensities.items():
        for clip in clips:
            found = estimate_entire(clicked_with(propensity), everyone, clip=clip)
            yield from compared(name, clip, found.estimates, true)
            sums = BalanceSums(categorical=IDS, numeric=NUMBERS, clip=clip)
            sums.add(features, click, propensity)
            balance, weights = sums.balance(), found.weights
            for what, value in (
                ("before", balance.largest_before),
                ("after", balance.largest_after),
                ("clipped", weights.clipped_weight_share),
                ("effective", weights.effective_sample_size),
                ("conversions", float(weights.conversions)),
            ):
                yield name, clip, "balance", what, value, 1.0


def compared(
    name: str, clip: float, estimates: Iterable[Estimate], true: dict[str, float]
) -> Iterator[Found]:
    """The error of each estimate with a value, in percent of the truth; of AUC in hundredths."""
    for one in estimates:
        if one.value is None or one.low is None or one.high is None:
            continue
        wanted = true[one.metric]
        off = one.value - wanted if one.metric == "auc" else one.value / wanted - 1.0
        yield name, clip, one.estimator, one.metric, 100 * off, float(one.low <= wanted <= one.high)


def measure(world: str, draws: int, rows: int, clips: Sequence[float]) -> list[dict[str, Any]]:
    """Over draws: mean, its standard error, share held and number of values of each figure."""
    values, held = defaultdict(list), defaultdict(list)
    for seed in range(draws):
        for *which, value, inside in draw(world, seed, rows, clips):
            values[tuple(which)].append(value)
            held[tuple(which)].append(inside)
    names = ("propensity", "clip", "estimator", "metric")
    return [
        {
            "world": world,
            "rows": rows,
            **dict(zip(names, which, strict=True)),
            "mean": float(np.mean(found)),
            "standard_error": float(np.std(found) / np.sqrt(max(1, len(found) - 1))),
            "held": float(np.mean(held[which])),
            "values": len(found),
        }
        for which, found in values.items()
    ]


def lines(world: str, figures: list[dict[str, Any]], clip: float) -> Iterator[str]:
    """The table's rows of one world, as Markdown."""
    table: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for one in figures:
        if one["clip"] in (0.0, clip):
            table[one["propensity"], one["estimator"]][one["metric"]] = one
    yield line(world, "", "clicked", table["", "snipw"], "", "", "")
    for name in PROPENSITIES:
        balance = {key: one["mean"] for key, one in table[name, "balance"].items()}
        ends = [f"{balance[key]:.2f}" for key in ("before", "after")]
        ends.append(f"{100 * balance['clipped']:.0f} %")
        for estimator in ESTIMATORS:
            first = estimator == ESTIMATORS[0]
            told = ends if first else [""] * 3
            yield line("", name if first else "", estimator, table[name, estimator], *told)


def line(world: str, name: str, estimator: str, row: dict[str, Any], *ends: str) -> str:
    cells = []
    for metric in METRICS:
        if metric not in row:
            cells.append("undefined")
            continue
        unit = "" if metric == "auc" else " %"
        cells.append(f"{row[metric]['mean']:+.1f}{unit} ({100 * row[metric]['held']:.0f})")
    return "| " + " | ".join([world, name, estimator, *cells, *ends]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimates over all impressions, and the truth.")
    parser.add_argument("--draws", "--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=30_000, help="test rows of a draw")
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--clips", nargs="+", type=float, default=[0.01, 0.001])
    arguments = parser.parse_args()
    titles = ["world", "propensity", "estimate", *(TITLES[metric] for metric in METRICS)]
    titles += ["SMD before", "after", "clipped"]
    found: dict[str, list[dict[str, Any]]] = {}
    for world in arguments.worlds:
        rows = arguments.rows * (SPARSE_ROWS if world == "sparse" else 1)
        found[world] = measure(world, arguments.draws, rows, arguments.clips)
        print(f"{world}: {arguments.draws} draws", file=sys.stderr, flush=True)
    for clip in arguments.clips:
        print(f"\nPropensities clipped at {clip:g}\n")
        print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
        for world, figures in found.items():
            print("\n".join(lines(world, figures, clip)))
    print(json.dumps({"draws": arguments.draws, "results": [*chain(*found.values())]}))


if __name__ == "__main__":
    main()
