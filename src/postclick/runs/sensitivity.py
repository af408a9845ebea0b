"""`sensitivity`: pCVR where nobody clicked, by what no log without an exposure can tell."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.judging.dependence import click_curve, implied_rates
from postclick.latent import LATENTS, Floats, Latent, LatentName
from postclick.latent import latent as latent_of
from postclick.logits import sigmoid
from postclick.methods.base import Method
from postclick.runs.run import Run
from postclick.spelling import option
from postclick.suggest import meant
from postclick.system.process import training_process

# Means of so many rows are exact enough for a band that is far wider.
ROWS = 100_000
FARTHEST = 5.0
MOST_VALUES = 101


@dataclass(frozen=True)
class SensitivityPoint:
    """What one dependence implies.

    Attributes:
        s: the dependence.
        unclicked: mean CVR of impressions that nobody clicked, had they been clicked.
        entire: of all impressions, had all been clicked.
    """

    s: float
    unclicked: float
    entire: float


@dataclass(frozen=True)
class Sensitivity:
    """Mean pCVR by how much a cause that no feature shows drives both clicks and conversions.

    Attributes:
        method, split, latent: as asked for.
        rows, clicks, conversions: impressions of the split that were looked at.
        clicked: mean pCVR of clicked impressions, the same at every dependence.
        pcoc: sum of that over conversions; the band is of a model that is right on clicks.
        points: by rising dependence.
        estimate: the dependence that the run itself has found, and its interval; None for methods
            that look for none.
        caution: what speaks against the band; None if nothing does.
    """

    method: str
    split: str
    latent: str
    rows: int
    clicks: int
    conversions: int
    clicked: float
    pcoc: float | None
    points: tuple[SensitivityPoint, ...]
    estimate: tuple[float, float, float] | None
    caution: str | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ends of the estimate that are not known are None."""
        found = asdict(self)
        if self.estimate is not None:
            found["estimate"] = [x if np.isfinite(x) else None for x in self.estimate]
        return found

    @property
    def sentence(self) -> str:
        """The band in one sentence."""
        first, last = self.points[0], self.points[-1]
        low, high = sorted((first.unclicked, last.unclicked))
        return (
            f"mean pCVR where nobody clicked is {low:.4f} to {high:.4f} as s runs from "
            f"{first.s:g} to {last.s:g}; {self.clicked:.4f} on clicks whatever s"
        )


def sensitivity(
    run: Run | str | Path,
    data: PreparedLog | str | Path,
    split: str = "test",
    *,
    low: float = -1.0,
    high: float = 2.0,
    values: int = 13,
    latent: LatentName = "normal",
) -> Sensitivity:
    """Mean pCVR where nobody clicked, as a hidden dependence runs over a range.

    The run's pCTR, and its pCVR as the rate on clicks, are taken as right. For each s the selection
    model of `postclick.methods.Selection` then says what the rate is where nobody clicked. No log
    without an exposure tells which s is right; the band is what is not known.

    Args:
        run: a finished run of any method, or its folder; a calibrator that it has is used.
        data: the prepared log of the run.
        split: whose impressions are looked at, 100,000 of them at the most, evenly spaced.
        low, high: the range of s, within -5 and 5.
        values: of s, evenly spaced, 0 besides.
        latent: the distribution of the hidden cause.

    Raises:
        InputError: a value is out of its range, the split has no click, or `data` is not the log
            that the run was trained on.
    """
    _require(low, high, values, latent)
    trained = run if isinstance(run, Run) else Run(run)
    log = data if isinstance(data, PreparedLog) else PreparedLog(data)
    trained.require(log)
    over = latent_of(latent)
    with training_process(trained.settings.training.threads):
        rows = _rows(trained, log, split, over)
    if not rows.click.any():
        raise InputError(f"the {split} split has no click: give another {option('split')}")
    grid = set(np.linspace(low, high, values).round(10).tolist())
    pcvr = sigmoid(rows.cvr)
    on_clicks, off_clicks = rows.weight * rows.click, rows.weight * (1 - rows.click)
    points = []
    for s in sorted(grid | ({0.0} if low <= 0 <= high else set())):
        implied = implied_rates(rows.curve, rows.cvr, s, over)
        points.append(
            SensitivityPoint(
                float(s), _mean(implied.unclicked, off_clicks), _mean(implied.entire, rows.weight)
            )
        )
    conversions = float((on_clicks * rows.conversion).sum())
    expected = float((on_clicks * pcvr).sum())
    return Sensitivity(
        method=trained.settings.method,
        split=split,
        latent=latent,
        rows=rows.click.size,
        clicks=int(rows.click.sum()),
        conversions=int((rows.click * rows.conversion).sum()),
        clicked=_mean(pcvr, on_clicks),
        pcoc=expected / conversions if conversions else None,
        points=tuple(points),
        estimate=rows.estimate,
        caution=_caution(expected, conversions, rows),
    )


@dataclass(frozen=True)
class _Rows:
    """Click curves `(n, nodes)`, logits of the rate on clicks, labels and weights, each `(n,)`."""

    curve: Floats
    cvr: Floats
    click: Floats
    conversion: Floats
    weight: Floats
    estimate: tuple[float, float, float] | None


def _require(low: float, high: float, values: int, latent: str) -> None:
    if not -FARTHEST <= low < high <= FARTHEST:
        raise InputError(
            f"{option('low')} {low:g} and {option('high')} {high:g}: give a range within "
            f"-{FARTHEST:g} and {FARTHEST:g}, such as -1 and 2"
        )
    if not 2 <= values <= MOST_VALUES:
        raise InputError(f"{option('values')} is {values}: give 2 to {MOST_VALUES}")
    if latent not in LATENTS:
        raise InputError(
            f"no latent {latent!r}{meant(latent, LATENTS)}; there is {', '.join(LATENTS)}"
        )


def _rows(run: Run, log: PreparedLog, split: str, over: Latent) -> _Rows:
    every = -(-log.split(split).rows // ROWS)
    method, calibrator = run.load(), run.calibration
    parts: list[tuple[Floats, ...]] = []
    at = 0
    with torch.inference_mode():
        for batch, _, _ in log.sequential(split, run.settings.training.eval_batch_size):
            # A calibrated rate on clicks is one of all exposures.
            by_exposure = method.rate_by_exposure and calibrator is None
            ctr, shares = _ctr_by_exposure(method, batch, own=by_exposure)
            if calibrator is None:
                cvr = method.given_click(batch).double().numpy()
            else:
                cvr = calibrator.apply(method.predict(batch).cvr.double().numpy())
            weight = torch.ones_like(batch.click) if batch.weight is None else batch.weight
            labels = (batch.click, batch.click * batch.conversion, weight)
            kept = slice((-at) % every, None, every)
            curve = click_curve(ctr.double().numpy()[kept], shares, over)
            parts.append((curve, cvr[kept], *(x.double().numpy()[kept] for x in labels)))
            at += len(batch)
    curve, cvr, click, conversion, weights = (np.concatenate(c) for c in zip(*parts, strict=True))
    return _Rows(curve, cvr, click, conversion, weights, method.dependence_found)


def _ctr_by_exposure(method: Method[Any], batch: Batch, *, own: bool) -> tuple[Tensor, Floats]:
    """Logits of pCTR `[n, k]` at each exposure, and how often each was shown; or at each row's."""
    if method.exposure is None or own:
        return method.predict(batch).ctr.unsqueeze(1), np.ones(1)
    shares = method.exposure.get_buffer("shares").double().numpy()
    seen = np.flatnonzero(shares > 0)
    every = [
        method.predict(replace(batch, exposure=torch.full(batch.click.shape, int(k)))).ctr
        for k in seen
    ]
    return torch.stack(every, dim=1), shares[seen] / shares[seen].sum()


def _mean(values: Floats, weight: Floats) -> float:
    total = float(weight.sum())
    return float(values @ weight) / total if total > 0 else float("nan")


def _caution(expected: float, conversions: float, rows: _Rows) -> str | None:
    """More than two standard deviations off, conversions varying as their probabilities say."""
    q = sigmoid(rows.cvr)
    spread = float(np.sqrt((np.square(rows.weight) * rows.click * q * (1 - q)).sum()))
    if abs(expected - conversions) <= 2 * spread or not conversions:
        return None
    return (
        f"pCVR is off on clicks (PCOC {expected / conversions:.2f}), and the band is as much off: "
        "calibrate the run first"
    )
