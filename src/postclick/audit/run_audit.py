"""The audit: every method on every population, with ratios to truth and a verdict."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from postclick.audit.fixed_point import FixedPoint, solve
from postclick.audit.population import POPULATIONS, USUAL, Floats, Population
from postclick.errors import InputError
from postclick.methods import REGISTRY, Method, find_method, title_of
from postclick.progress import Reporter, Silent
from postclick.registry import allow, allowed, require_importable
from postclick.suggest import meant

# A ratio this close to 1 counts as right; so does this error in every propensity decile.
RATIO_TOLERANCE, DECILE_TOLERANCE = 0.01, 0.02
CTR_LOGIT_TOLERANCE = 0.01
# A larger gradient that is left, for a cell of mass 1, means that the loss never stands still.
RESIDUAL_TOLERANCE = 1.0
DECILES = 10


@dataclass(frozen=True)
class AuditEntry:
    """Where one method ends on one population.

    Attributes:
        full: the whole loss, or (False) without its CTCVR term.
        clicked, unclicked, entire: converged mean pCVR over true mean CVR on that space.
        deciles: mean pCVR over truth, minus 1, by decile of the true propensity, low to high.
        ctr_ratio: converged mean pCTR over the true CTR.
        ctr_logit_error: largest error of pCTR over cells, in logits.
        residual: largest gradient left; not small means that the loss has no fixed point.
        verdict: in words.
    """

    method: str
    population: str
    full: bool
    clicked: float
    unclicked: float
    entire: float
    deciles: tuple[float, ...]
    ctr_ratio: float
    ctr_logit_error: float
    residual: float
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def audit(
    methods: "Sequence[str | type[Method[Any]]] | None" = None,
    populations: Iterable[str] = USUAL,
    *,
    full: Sequence[bool] = (True, False),
    workers: int = 1,
    reporter: Reporter | None = None,
) -> list[AuditEntry]:
    """Take methods to the limit of infinite data with known truth.

    The loss is the library's own `Method.terms`, in expectation over a tabular population.

    Args:
        methods: names, variants, places or classes; by default all with all their variants.
        populations: names; by default those without an exposure.
        full: whole losses, losses without CTCVR, or both.
        workers: processes.

    Raises:
        InputError: an unknown method, variant or population.
    """
    reporter, populations = reporter or Silent(), list(populations)
    unknown = [name for name in populations if name not in POPULATIONS]
    if unknown:
        raise InputError(
            f"no population {unknown[0]!r}{meant(unknown[0], POPULATIONS)}"
            f"; there are {', '.join(POPULATIONS)}"
        )
    names = every_method() if methods is None else [REGISTRY.name_of(m) for m in methods]
    tasks = [
        (name, population, whole)
        for name in names
        for population in populations
        for whole in full
        if whole or has_ctcvr(name)
    ]
    reporter.start("audit", len(tasks), "fixed points")
    entries: list[AuditEntry] = []
    if workers <= 1:
        for task in tasks:
            entries.append(_entry(task))
            reporter.advance(1)
        return entries
    for name in names:
        require_importable(name)
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_settle, initargs=(allowed(),)
    ) as pool:
        for entry in pool.map(_entry, tasks):
            entries.append(entry)
            reporter.advance(1)
    return entries


def every_method() -> list[str]:
    """All methods, each followed by its variants."""
    return [n for name, m in REGISTRY.items() for n in (name, *(f"{name}/{v}" for v in m.variants))]


def has_ctcvr(name: str) -> bool:
    """Whether a method has a CTCVR term that can be left out, and pCVR is still trained."""
    method, _ = find_method(name)
    weights = {name for name in method.Config.model_fields if name.endswith("_weight")}
    return "ctcvr_weight" in weights and bool(weights - {"ctr_weight", "ctcvr_weight"})


def _settle(packages: tuple[str, ...]) -> None:
    import torch

    allow(*packages)
    torch.set_num_threads(1)


def _entry(task: tuple[str, str, bool]) -> AuditEntry:
    name, population_name, whole = task
    method, options = find_method(name)
    if not whole:
        options["ctcvr_weight"] = 0.0
    config = method.Config.parse(name, options)
    population = POPULATIONS[population_name]()
    return judge_fixed_point(title_of(name), whole, population, solve(method, config, population))


def judge_fixed_point(
    name: str, whole: bool, population: Population, found: FixedPoint
) -> AuditEntry:
    """Ratios to truth on the three spaces, by propensity decile, and the verdict."""
    ratio = partial(_ratio, population, found.pcvr)
    spaces = {
        "clicked": ratio(population.mass * population.ctr),
        "unclicked": ratio(population.mass * (1 - population.ctr)),
        "entire": ratio(population.mass),
    }
    order = np.argsort(population.cell_ctr)
    deciles = []
    for part in np.array_split(order, DECILES):
        mask = np.zeros_like(population.mass)
        mask[part] = population.mass[part]
        deciles.append(ratio(mask) - 1)
    truth = population.cell_ctr
    error = np.abs(np.log(found.pctr / (1 - found.pctr)) - np.log(truth / (1 - truth))).max()
    ctr_ratio = float(found.pctr.mean() / truth.mean())
    return AuditEntry(
        name,
        population.name,
        whole,
        **spaces,
        deciles=tuple(deciles),
        ctr_ratio=ctr_ratio,
        ctr_logit_error=float(error),
        residual=found.residual,
        verdict=verdict(spaces, deciles, float(error), found.residual),
    )


def _ratio(population: Population, pcvr: Floats, mass: Floats) -> float:
    return float((mass * pcvr[:, None]).sum() / (mass * population.cvr).sum())


def verdict(
    spaces: dict[str, float], deciles: Sequence[float], ctr_error: float, residual: float
) -> str:
    """Consistent, or how pCVR and pCTR are biased, and whether they stand still at all.

    >>> verdict({"clicked": 1.0, "unclicked": 1.0, "entire": 1.0}, [0.0], 0.0, 1e-6)
    'consistent'
    >>> verdict({"clicked": 0.6, "unclicked": 0.56, "entire": 0.57}, [-0.4], 0.1, 1e-6)
    'pCVR 43 % too low; pCTR biased by up to 0.10 logit'
    """
    found = ["no fixed point"] if residual > RESIDUAL_TOLERANCE else []
    off = spaces["entire"] - 1
    uneven = max(abs(d) for d in deciles)
    if abs(off) > RATIO_TOLERANCE:
        found.append(f"pCVR {abs(off):.0%} too {'high' if off > 0 else 'low'}".replace("%", " %"))
    elif uneven > DECILE_TOLERANCE:
        found.append(f"pCVR right on average, off by {uneven:.0%} in a decile".replace("%", " %"))
    if ctr_error > CTR_LOGIT_TOLERANCE:
        found.append(f"pCTR biased by up to {ctr_error:.2f} logit")
    return "; ".join(found) or "consistent"
