"""Estimates over all impressions without truth, held against the truth of simulated worlds.

    python benchmarks/entire_space.py [--draws 20] [--rows 30000] [--worlds hidden] [--clips .01]

Each draw is a new world of that name, users and items included. A logistic regression of clicked
training rows is the judged model, one of all training rows its pCTR. On the test rows mean CVR,
PCOC, NLL and AUC of its pCVR over all impressions are estimated with three propensities: the true
one, as if logged; the model's pCTR; one cross-fitted on the test rows, in three folds for speed.
The truth is that of the same test rows. Errors are means over draws, of mean CVR, PCOC and NLL in
percent of the truth, of AUC in points (of .01); in brackets the share of 95 % intervals that held
the truth. `clicked` are the plain figures of clicked rows, which many would take for the answer.
Mean CVR is shown with every clip, all else with the last. SMD is the largest standardised mean
difference of a feature before and after weighting, and `clipped` the share of the weight of clicked
rows that the clip has cut.

Some five minutes on one core.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
from postclick.judging.entire.propensity import STRENGTH
from postclick.logits import sigmoid
from postclick.metrics.auc import weighted_auc

Floats = NDArray[np.float64]
WORLDS = ("independent", "confounded", "adverse", "hidden", "position", "sparse", "shift")
# Those that have the same columns, where they are asked for.
MORE_WORLDS = ("interactions", "drifting", "selection_iv")
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


def learned(train: pl.DataFrame, label: str, rows: pl.DataFrame) -> Floats:
    """What a logistic regression of the training rows says of others."""
    kinds = feature_kinds(rows.schema, FEATURES, categorical=IDS, numeric=NUMBERS)
    ones = np.ones(train.height)
    encoding = Encoding.learn(train, kinds, ones)
    positive = train[label].to_numpy() == 1
    model = fit_logistic(encoding.matrix(train), positive, ones, STRENGTH)
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


KEYS = ("propensity", "clip", "estimator", "metric")
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
    return [
        {
            "world": world,
            "rows": rows,
            **dict(zip(KEYS, which, strict=True)),
            "mean": float(np.mean(found)),
            "standard_error": float(np.std(found) / np.sqrt(max(1, len(found) - 1))),
            "held": float(np.mean(held[which])),
            "values": len(found),
        }
        for which, found in values.items()
    ]


def titles(clips: Sequence[float]) -> list[str]:
    """Mean CVR at every clip, all else at the last."""
    return [
        *("world", "propensity", "estimate"),
        *(f"mean CVR, {clip:g}" for clip in clips),
        *("PCOC", "NLL", "AUC", "SMD before", "after", "clipped"),
    ]


def lines(world: str, figures: list[dict[str, Any]], clips: Sequence[float]) -> Iterator[str]:
    """The table's rows of one world, as Markdown."""
    table = {tuple(one[k] for k in KEYS): one for one in figures}

    def cells(name: str, estimator: str, clips: Sequence[float]) -> list[str]:
        shown = [(clip, "mean_cvr") for clip in clips]
        shown += [(clips[-1], metric) for metric in METRICS if metric != "mean_cvr"]
        return [cell(table.get((name, clip, estimator, metric))) for clip, metric in shown]

    yield line(world, "", "clicked", *cells("", "snipw", [0.0] * len(clips)), "", "", "")
    for name in PROPENSITIES:
        balance = {
            what: table[name, clips[-1], "balance", what]["mean"]
            for what in ("before", "after", "clipped")
        }
        ends = [f"{balance['before']:.2f}", f"{balance['after']:.2f}"]
        ends.append(f"{100 * balance['clipped']:.0f} %")
        for estimator in ESTIMATORS:
            first = estimator == ESTIMATORS[0]
            told = ends if first else [""] * 3
            yield line("", name if first else "", estimator, *cells(name, estimator, clips), *told)


def cell(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "undefined"
    unit = "" if figure["metric"] == "auc" else " %"
    return f"{figure['mean']:+.1f}{unit} ({100 * figure['held']:.0f})"


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Estimates over all impressions, and the truth.")
    parser.add_argument("--draws", "--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=30_000, help="test rows of a draw")
    parser.add_argument(
        "--worlds", nargs="+", choices=(*WORLDS, *MORE_WORLDS), default=list(WORLDS)
    )
    parser.add_argument("--clips", nargs="+", type=float, default=[0.01, 0.001])
    arguments = parser.parse_args()
    columns = titles(arguments.clips)
    print(line(*columns) + "\n|" + "---|" * len(columns), flush=True)
    found = []
    for world in arguments.worlds:
        rows = arguments.rows * (SPARSE_ROWS if world == "sparse" else 1)
        figures = measure(world, arguments.draws, rows, arguments.clips)
        print("\n".join(lines(world, figures, arguments.clips)), flush=True)
        found += figures
    print(json.dumps({"draws": arguments.draws, "results": found}))


if __name__ == "__main__":
    main()
