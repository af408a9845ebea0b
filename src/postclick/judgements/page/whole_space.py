"""Estimates over all impressions without truth, and how far weights make clicks like them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postclick.judgements.page.drawing import Ends, Key, Strips, gain_strips, ratio_strips
from postclick.judgements.page.table import Cell, Column, Table, count, measured, named
from postclick.judgements.page.view import View
from postclick.judgements.page.words import number, percent, shortened

METRICS = {
    "mean_cvr": ("mean CVR", "estimated mean CVR, had every impression been clicked"),
    "pcoc": ("PCOC", "mean pCVR over all impressions / estimated mean CVR; 1 is right"),
    "nll": ("NLL", "estimated mean cross-entropy of pCVR over all impressions; lower is better"),
    "auc": ("AUC", "estimated AUC of pCVR over all impressions; higher is better"),
}


@dataclass(frozen=True)
class WholePart:
    """The entire space, estimated.

    Attributes:
        propensity: where it comes from, in words.
        assumptions: of each estimator: its name, what it is, and what has to hold.
    """

    propensity: str
    assumptions: tuple[tuple[str, str, str], ...]
    strips: Strips | None
    estimates: Table
    weights: Table


def whole_part(view: View) -> WholePart | None:
    """None where the entire space was not asked for."""
    entire = view.judged.entire
    if entire is None:
        return None
    models: dict[str, dict[str, Any]] = entire["models"]
    first = next(iter(models.values()))
    return WholePart(
        entire["propensity"],
        tuple(
            (name, one["summary"], one["assumption"]) for name, one in first["estimators"].items()
        ),
        _strips(view, models),
        _estimates(models),
        _weights(models),
    )


def _estimates(models: dict[str, dict[str, Any]]) -> Table:
    columns = (
        Column("model", numeric=False),
        Column("estimator", numeric=False),
        Column("mean pCVR", hint="over all impressions"),
        *(Column(title, hint=hint) for title, hint in METRICS.values()),
    )
    rows, reasons = [], dict[str, None]()
    for model, found in models.items():
        for name in found["estimators"]:
            cells = [named(model), Cell(name), Cell(number(found["mean_pcvr"]))]
            for metric, (title, _) in METRICS.items():
                one = found["estimates"][metric][name]
                if one["value"] is None:
                    cells.append(Cell("undefined", hint=one["undefined"]))
                    told = f"{title}, {name} ({shortened(model)}): {one['undefined']}."
                    reasons[told] = None
                else:
                    digits = 3 if metric == "pcoc" else 4
                    cells.append(measured(one["value"], one["low"], one["high"], digits))
            rows.append(tuple(cells))
    caption = "All impressions: pCVR against the CVR that is estimated from clicks"
    return Table(caption, columns, tuple(rows), below=tuple(reasons))


def _weights(models: dict[str, dict[str, Any]]) -> Table:
    columns = (
        Column("model", numeric=False),
        Column("clicks"),
        Column("count like", "effective clicks", "(sum of weights)² / sum of squared weights"),
        Column("conversions"),
        Column("count like", "effective conversions", "the same over conversions alone"),
        Column("clip", hint="the least propensity that a weight is taken of"),
        Column("clipped", "share of clicks", "whose propensity is below the clip"),
        Column("their weight", "share of all", "of the sum of weights"),
        Column("weight", "per impression", "1 if propensities are right on average"),
    )
    rows = tuple(
        (
            named(model),
            count(one["clicked"]),
            count(one["effective_sample_size"]),
            count(one["conversions"]),
            count(one["effective_conversions"]),
            Cell(f"{one['clip']:g}"),
            Cell(percent(one["clipped_share"])),
            Cell(percent(one["clipped_weight_share"])),
            Cell(number(one["weight_per_impression"], 3)),
        )
        for model, one in models.items()
    )
    return Table("What the weights leave of the clicks", columns, rows)


def _strips(view: View, models: dict[str, dict[str, Any]]) -> Strips | None:
    """PCOC on clicks, as recorded, beside the estimates over all impressions."""
    rows = []
    for model, found in models.items():
        recorded = view.judged.figure(model, "cvr_pcoc", "clicked")
        colour = view.colour(model)
        if recorded is not None:
            ends = Ends(recorded.value, recorded.low, recorded.high, colour, open=True)
            rows.append((shortened(model), "clicked impressions, recorded", (ends,)))
        for name in found["estimators"]:
            one = found["estimates"]["pcoc"][name]
            ends = Ends(one["value"], one["low"], one["high"], colour)
            rows.append((shortened(model), f"all impressions, {name}", (ends,)))
    title = "PCOC of pCVR: on clicks, and estimated over all impressions"
    return ratio_strips(title, rows, wide=True)


@dataclass(frozen=True)
class BalancePart:
    """The placebo: features of clicked and of all impressions, before and after weighting."""

    sentence: str
    strips: Strips | None
    table: Table


def balance_part(view: View) -> BalancePart | None:
    """None where no features were compared."""
    balance = view.judged.balance
    if balance is None or not balance["features"]:
        return None
    features, limit = balance["features"], balance["limit"]
    flagged = [one for one in features if one["flagged"]]
    verdict = (
        f"{len(flagged)} of {len(features)} features stay out of balance"
        if flagged
        else f"No feature of {len(features)} stays out of balance"
        if len(features) > 1
        else "The feature is in balance"
    )
    sentence = (
        f"{verdict} after weighting (a standardised mean difference beyond {limit:g}): the largest "
        f"was {balance['largest_before']:.3f} before, and is {balance['largest_after']:.3f} after."
    )
    if balance["noise"] is not None:
        sentence += f" Chance alone gives about {balance['noise']:.3f}."
    rows = [
        (
            shortened(one["feature"]),
            f"worst of {one['compared']:,}" if one["compared"] > 1 else "",
            (
                Ends(one["before"], None, None, 0, "before", open=True),
                Ends(one["after"], None, None, 0, "after"),
            ),
        )
        for one in features
    ]
    strips = gain_strips(
        "Standardised mean difference of clicked against all impressions",
        rows,
        guides=(-limit, 0.0, limit),
        digits=3,
        legend=(Key("before weighting", 0, open=True), Key("after", 0)),
        words=False,
        wide=True,
    )
    return BalancePart(sentence, strips, _balance_table(features))


def _balance_table(features: list[dict[str, Any]]) -> Table:
    columns = (
        Column("feature", numeric=False),
        Column("read as", numeric=False),
        Column("compared", hint="how many values, and means"),
        Column("before", "largest SMD", over="clicks as they are"),
        Column("of", over="clicks as they are", numeric=False),
        Column("all", "RMS of SMDs", over="clicks as they are"),
        Column("after", "largest SMD", over="clicks weighted"),
        Column("of", over="clicks weighted", numeric=False),
        Column("all", "RMS of SMDs", over="clicks weighted"),
        Column("balanced", numeric=False),
    )
    rows = tuple(
        (
            named(one["feature"]),
            Cell(one["kind"]),
            count(one["compared"]),
            Cell(number(one["before"], 3)),
            named(one["worst_before"]),
            Cell(number(one["rms_before"], 3)),
            Cell(number(one["after"], 3)),
            named(one["worst_after"]),
            Cell(number(one["rms_after"], 3)),
            Cell("no" if one["flagged"] else "yes"),
        )
        for one in features
    )
    return Table("Balance of features", columns, rows)
