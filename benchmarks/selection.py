"""What `selection` finds where a cause that no feature shows drives both clicks and conversions.

    python benchmarks/selection.py bias --conversions 3000 --draws 3
    python benchmarks/selection.py bias --position-sd 0.25 --draws 10 --methods \
        selection/no_dependence selection selection:dependence_variance=null
    python benchmarks/selection.py coverage --s 1 --draws 20
    python benchmarks/selection.py coverage --s 0 --draws 20
    python benchmarks/selection.py coverage --drawn-latent gamma --draws 10
    python benchmarks/selection.py coverage --position-sd 0.5 --draws 10
    python benchmarks/selection.py bias --conversions 10000 --pairs 0.5 --draws 2 --methods \
        naive selection selection_network
    python benchmarks/selection.py bias --conversions 3000 --draws 1 --starts 2 --methods \
        selection_at selection_at:dependence=1

Logs are drawn of the model's own form: additive effects of eight fields on both logits, a position
that is random and moves clicks alone, and a latent u that does both, click logit + u, conversion
logit + s u. `bias` is that of pCVR over all impressions, against E_u of the true probability. A
method may have options of its own behind a colon.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.optimize import brentq
from scipy.special import expit

import postclick
from postclick.data.prepared import PreparedLog
from postclick.data.read.log_source import FrameSource
from postclick.data.schema import LogSchema
from postclick.data.splits import LogSplits
from postclick.data.write.prepare import prepare
from postclick.losses import cross_entropy
from postclick.methods.base import Method
from postclick.methods.latent_cause import LatentCause

SIZES = (3, 5, 8, 12, 20, 40, 100, 300)
POSITIONS = 8
# Fields whose values have effects together.
PAIRS = ((2, 3), (1, 4), (3, 5))
CTR, CLICKED_CVR = 0.08, 0.14
LATENTS = ("normal", "two_point", "gamma")


@dataclass(frozen=True)
class World:
    """What a log is drawn from.

    Attributes:
        rows: impressions, of which 3/5 train.
        s: true dependence.
        position_sd: of the position's effects on the click logit; 0 leaves the exposure out.
        drawn: the latent that is drawn.
        pairs: share of the effects' variance that is of pairs of values, which nothing additive
            can fit.
        seed: of effects, rows and labels.
    """

    rows: int
    s: float = 1.0
    position_sd: float = 1.0
    drawn: str = "normal"
    pairs: float = 0.0
    seed: int = 0


def draw(world: World) -> pl.DataFrame:
    """Rows with features, labels and the CVR that the features can know."""
    rng = np.random.default_rng(world.seed)
    n = world.rows
    data: dict[str, Any] = {}
    a, b = np.zeros(n), np.zeros(n)
    each = 1 / np.sqrt(len(SIZES))
    for k, size in enumerate(SIZES):
        value = rng.integers(0, size, n)
        first, second = rng.normal(size=size), rng.normal(size=size)
        a += each * first[value]
        b += each * (0.3 * first + 0.8 * second)[value]
        data[f"f{k}"] = value
    if world.pairs:
        a, b = (np.sqrt(1 - world.pairs) * one for one in (a, b))
        for first, second in PAIRS:
            value = data[f"f{first}"] * SIZES[second] + data[f"f{second}"]
            for logit in (a, b):
                effect = rng.normal(size=SIZES[first] * SIZES[second])
                logit += np.sqrt(world.pairs / len(PAIRS)) * effect[value]
    position = rng.integers(0, POSITIONS, n)
    data["position"] = position
    effect = np.linspace(1.0, -1.0, POSITIONS)
    a += world.position_sd * (effect / effect.std())[position]
    u = _latent(rng, world.drawn, n)
    level = brentq(lambda c: expit(c + a + u).mean() - CTR, -20, 20)
    click = rng.random(n) < expit(level + a + u)
    of_clicks = b[click] + world.s * u[click]
    level = brentq(lambda c: expit(c + of_clicks).mean() - CLICKED_CVR, -20, 20)
    conversion = click & (rng.random(n) < expit(level + b + world.s * u))
    data["true_cvr"] = _marginal(rng, level + b, world)
    return pl.DataFrame(
        {**data, "click": click.astype(np.int8), "conversion": conversion.astype(np.int8)}
    )


def _latent(rng: np.random.Generator, name: str, n: int) -> np.ndarray:
    """Mean 0, variance 1."""
    if name == "normal":
        return rng.normal(size=n)
    if name == "two_point":
        return rng.choice([-1.0, 1.0], n)
    return (rng.gamma(2.0, size=n) - 2.0) / np.sqrt(2.0)


def _marginal(rng: np.random.Generator, b: np.ndarray, world: World) -> np.ndarray:
    """E_u of the conversion probability, over a fine grid of quantiles."""
    u = np.sort(_latent(np.random.default_rng(1), world.drawn, 400_001))[1000::2000]
    grid = np.linspace(b.min(), b.max(), 400)
    means = np.array([expit(x + world.s * u).mean() for x in grid])
    return np.interp(b, grid, means)


def prepared(world: World, folder: Path) -> PreparedLog:
    schema: dict[str, Any] = {
        "click": "click",
        "conversion": "conversion",
        "categorical": [f"f{k}" for k in range(len(SIZES))],
        "truth": {"cvr": "true_cvr"},
    }
    if world.position_sd:
        schema["exposure"] = "position"
    splits = LogSplits(LogSchema.parse(schema), FrameSource(draw(world)))
    return prepare(splits, folder, valid_fraction=0.05, test_fraction=0.35)


@dataclass(frozen=True)
class Found:
    """One run.

    Attributes:
        bias, auc: relative bias and AUC over all test impressions.
        valid: minus the log-likelihood of conversions of clicked validation rows.
        served, interval, rejects: the dependence, where the method knows of one.
    """

    bias: float
    auc: float
    valid: float
    served: float
    interval: tuple[float, float, float]
    rejects: bool
    seconds: float


def run(log: PreparedLog, method: str, out: Path, seed: int = 0) -> Found:
    began = time.monotonic()
    name, _, sets = method.partition(":")
    overrides = sets.split(",") if sets else []
    settings = postclick.RunSettings.make(name, overrides=overrides, seed=seed)
    trained = postclick.train(log, settings, out)
    seconds = time.monotonic() - began
    judged = trained.evaluate(log, "test")
    value = {(m.metric, m.space): m.value for m in judged.metrics}
    fitted = trained.load()
    served, interval, rejects = np.nan, (np.nan, np.nan, np.nan), False
    if isinstance(fitted, LatentCause):
        served, told = fitted.dependence_told.served, fitted.dependence_told.profile
        if told is not None:
            interval, rejects = (told.best, told.low, told.high), told.rejects_zero
    return Found(
        value["cvr_bias", "entire"] / true_cvr(log),
        value["true_cvr_auc", "entire"],
        valid_loss(fitted, log),
        served,
        interval,
        rejects,
        seconds,
    )


@torch.no_grad()
def valid_loss(method: Method[Any], log: PreparedLog) -> float:
    """Minus the log-likelihood of conversions given a click, of the validation split."""
    total = 0.0
    for batch, _, _ in log.sequential("valid", 65_536):
        loss = cross_entropy(method.given_click(batch).double(), batch.conversion.double())
        total += float(loss[batch.click == 1].sum())
    return total


def true_cvr(log: PreparedLog) -> float:
    """Its mean over the test rows."""
    windows = list(log.windows("test"))
    return float(np.mean(np.concatenate([w.truth["true_cvr"] for w in windows])))


def conversions_to_rows(conversions: int) -> int:
    """So many conversions in the training rows."""
    return round(conversions / (0.6 * CTR * CLICKED_CVR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("bias", "coverage"))
    parser.add_argument("--conversions", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--starts", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--s", type=float, default=1.0)
    parser.add_argument("--position-sd", type=float, default=1.0)
    parser.add_argument("--drawn-latent", choices=LATENTS, default="normal")
    parser.add_argument("--pairs", type=float, default=0.0)
    parser.add_argument("--methods", nargs="+", default=["naive", "click_prior", "selection"])
    given = parser.parse_args()
    methods = given.methods if given.what == "bias" else ["selection"]
    rows = conversions_to_rows(given.conversions)
    plan = World(rows, given.s, given.position_sd, given.drawn_latent, given.pairs)
    results: dict[str, list[Found]] = {method: [] for method in methods}
    for seed in range(given.first, given.first + given.draws):
        with tempfile.TemporaryDirectory() as place:
            log = prepared(replace(plan, seed=seed), Path(place) / "data")
            for method, start in product(methods, range(given.starts)):
                out = Path(place) / f"{method}-{start}".replace("/", "-")
                found = run(log, method, out, seed=start)
                results[method].append(found)
                best, low, high = found.interval
                print(
                    f"draw {seed} {method:12} bias {found.bias:+.3f}  AUC {found.auc:.4f}  "
                    f"valid {found.valid:.1f}  "
                    f"s {best:.2f} ({low:.2f} to {high:.2f}), served {found.served:.2f}  "
                    f"{'s = 0 rejected' if found.rejects else ''}  {found.seconds:.0f} s",
                    flush=True,
                )
    for method, every in results.items():
        bias = np.array([one.bias for one in every])
        print(
            f"{method:12} bias {bias.mean():+.3f} ± {bias.std():.3f}, "
            f"mean |bias| {np.abs(bias).mean():.3f}, AUC {np.mean([o.auc for o in every]):.4f}, "
            f"{np.mean([o.seconds for o in every]):.1f} s"
        )
        if not np.isnan(every[0].interval[0]):
            best, low, high = np.array([one.interval for one in every]).T
            covered = (low <= given.s) & (given.s <= high)
            rejected = sum(one.rejects for one in every)
            print(
                f"{'':12} s {best.mean():.2f} ± {best.std():.2f}; interval holds {given.s:g} in "
                f"{covered.sum()} of {len(every)}; s = 0 rejected in {rejected} of {len(every)}"
            )


if __name__ == "__main__":
    main()
