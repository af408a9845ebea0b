"""What means of starts and of methods are worth: true AUC, true NLL and bias, over draws of worlds.

    python benchmarks/means.py --draws confounded:1 hidden:1 --out FOLDER

A draw is a world and its seed, with 60,000 impressions. `click_prior` and four starts of `naive`
are trained once on each; means are taken of what they predict for the test split, as `mean_of`
takes them. Runs in FOLDER are kept.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import postclick
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.splits import LogSplits
from postclick.judging.labels import split_labels
from postclick.logits import sigmoid
from postclick.metrics.auc import weighted_auc
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings

STARTS = 4
# Worlds whose rates are their own; the others have a tenth of clicks and of conversions.
OWN_RATES = ("sparse",)
Floats = NDArray[np.float64]
# AUC, NLL and relative bias of pCVR against the true CVR of all test impressions.
Figures = tuple[float, float, float]


def prepared(world: str, seed: int, rows: int, out: Path) -> PreparedLog:
    """The log of a draw, made if it is not there."""
    folder = out / f"{world}-{seed}"
    if folder.exists():
        return PreparedLog(folder)
    rates = {} if world in OWN_RATES else {"ctr": 0.1, "cvr": 0.1}
    raw = postclick.simulate(world, rows=rows, seed=seed, **rates)
    splits = LogSplits(raw.schema, FrameSource(raw.train), FrameSource(raw.test))
    return postclick.prepare(splits, folder)


def logits(log: PreparedLog, method: str, seed: int, sets: Sequence[str]) -> Floats:
    """Logits of pCVR on the test split of a run, trained if it is not there."""
    out = log.folder.with_name(f"{log.folder.name}-{method}-{seed}")
    own = sets if method == "naive" else ()
    settings = RunSettings.make(method, overrides=["threads=1", *own], seed=seed)
    run = Run(out) if out.exists() else postclick.train(log, settings, out)
    run.evaluate(log, "test", keep_predictions=True)
    return run.predictions()["cvr_logit"].to_numpy().astype(np.float64)


def figures(p: Floats, true: Floats) -> Figures:
    auc = weighted_auc(p, true, 1 - true)
    assert auc is not None
    nll = -np.mean(true * np.log(p) + (1 - true) * np.log(1 - p))
    return auc, float(nll), float(p.mean() / true.mean() - 1)


def measure(log: PreparedLog, sets: Sequence[str]) -> dict[str, Figures]:
    """Figures of single runs and of means; of `naive` alone the mean over its starts."""
    true = split_labels(log, "test").truth["true_cvr"].astype(np.float64)
    prior = logits(log, "click_prior", 0, sets)
    naive = np.array([logits(log, "naive", seed, sets) for seed in range(STARTS)])
    each, three = sigmoid(naive), naive[: STARTS - 1]
    alone = np.mean([figures(p, true) for p in each], axis=0)
    means = {
        "click_prior": sigmoid(prior),
        f"naive*{STARTS}": each.mean(axis=0),
        "click_prior,naive,naive,naive": (sigmoid(prior) + sigmoid(three).sum(axis=0)) / STARTS,
        "click_prior,naive*3": (sigmoid(prior) + sigmoid(three).mean(axis=0)) / 2,
        "click_prior,naive*3 logit": sigmoid((prior + three.mean(axis=0)) / 2),
    }
    found = {name: figures(p, true) for name, p in means.items()}
    return {"naive": (float(alone[0]), float(alone[1]), float(alone[2])), **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", nargs="+", required=True, metavar="WORLD:SEED")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    found = {}
    for draw in arguments.draws:
        world, _, seed = draw.partition(":")
        log = prepared(world, int(seed), arguments.rows, arguments.out)
        found[draw] = measure(log, arguments.sets)
        for name, (auc, nll, bias) in found[draw].items():
            told = f"AUC {auc:.4f}  NLL {nll:.4f}  bias {bias:+.2f}"
            print(f"{draw:<14} {name:<30} {told}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
