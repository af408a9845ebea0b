"""The section on calibration: reliability by method, and what each calibrator does on the split."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from postclick.metrics.catalogue import METRICS
from postclick.metrics.metric import SPACES
from postclick.reporting.answer import signed
from postclick.reporting.figure import Line, Plot, add_guide, add_line, empty_figure, lines
from postclick.reporting.folder import Part
from postclick.reporting.tables import Column, Table, Value, words

Arm = dict[str, Any]
RECORDED = (
    ("pcoc", "PCOC", "sum of pCVR / recorded conversions, clicked impressions; 1 is right"),
    ("nll", "NLL", METRICS["cvr_nll"].definition + ", clicked impressions"),
    ("ece", "ECE", "mean of |predicted - observed| over ten equal groups, clicked impressions"),
)
TRUE = ("cvr_bias", "true_cvr_nll")


def calibration_table(part: Part, split: str) -> Table | None:
    """A row for each method and calibrator, means over seeds; `None` without studies."""
    if not part.studies:
        return None
    spaces = _spaces(part)
    columns = (
        Column("method", numeric=False),
        Column("calibrator", numeric=False),
        *(Column(title, "clicked", hint=hint) for _, title, hint in RECORDED),
        *(
            Column(name, space, hint=f"{METRICS[name].definition}, {space} space")
            for name in TRUE
            for space in spaces
        ),
    )
    rows = []
    for method, studies in part.studies.items():
        for arms in zip(*(study["arms"] for study in studies), strict=True):
            cells = [_mean(arms, name) for name, _, _ in RECORDED]
            cells += [_mean(arms, "truth", space, name) for name in TRUE for space in spaces]
            rows.append((words(method), words(label(arms[0])), *cells))
    seeds = max(len(studies) for studies in part.studies.values())
    over = f"means over {seeds} seeds" if seeds > 1 else "one seed"
    caption = f"{part.title}: {split} split, calibrated on validation clicks ({over})"
    return Table(caption, columns, tuple(rows))


def calibration_plots(part: Part, split: str) -> list[Plot]:
    """Reliability of each method's first seed, before and after; none where nobody clicked."""
    plots = []
    for method, studies in part.studies.items():
        arms = [arm for arm in studies[0]["arms"] if "judged" in arm]
        legend = lines(label(arm) for arm in arms)
        figure = empty_figure("mean prediction", "conversions per click")
        drawn = [arm["judged"]["reliability"] for arm in arms]
        if not any(found["rows"] for found in drawn):
            continue
        add_guide(figure, max(v for b in drawn for v in (*b["predicted"], *b["observed"])))
        for found, line in zip(drawn, legend.values(), strict=True):
            _draw(figure, found, line)
        note = (
            f"Clicked {split} impressions in ten equal groups by pCVR; on the diagonal predictions "
            "are right. Bars are 95 % Wilson intervals of the rates, shown where uncalibrated."
        )
        title = f"Reliability: {method}"
        plots.append(Plot(title, note, figure.to_plotly_json(), tuple(legend.values())))
    return plots


def calibration_notes(part: Part) -> list[str]:
    """How often clicks and the entire space disagree, and why calibrators are missing."""
    better, worse = 0, 0
    reasons = dict[str, None]()
    for method, studies in part.studies.items():
        for study in studies:
            plain, *others = study["arms"]
            for arm in others:
                if "judged" not in arm:
                    reasons[f"{method}, {label(arm)}: {arm['undefined']}"] = None
                elif arm["weights"] == "none":
                    helped, harmed = _moved(plain["judged"], arm["judged"])
                    better, worse = better + helped, worse + (helped and harmed)
    notes = []
    if better:
        notes.append(
            f"Of {better:,} fits that brought PCOC of clicked impressions nearer to 1, {worse:,} "
            "moved the mean pCVR of all impressions further from the truth: what is right for "
            "clicks need not be right for the entire space. Counted over methods and seeds, "
            "unweighted calibrators only"
        )
    return notes + list(reasons)


def label(arm: Arm) -> str:
    """What a calibrator is called.

    >>> label({"kind": "platt", "weights": "propensity"}), label({"kind": "none"})
    ('platt, weighted', 'uncalibrated')
    """
    if arm["kind"] == "none":
        return "uncalibrated"
    return f"{arm['kind']}, weighted" if arm["weights"] == "propensity" else str(arm["kind"])


def _draw(figure: Any, found: dict[str, list[Any]], line: Line) -> None:
    text = [
        f"{low:.4f} to {high:.4f}<br>{rows:,} rows"
        for low, high, rows in zip(found["low"], found["high"], found["rows"], strict=True)
    ]
    more: dict[str, Any] = {}
    if line.name == "uncalibrated":
        ends = zip(found["observed"], found["low"], found["high"], strict=True)
        above, below = zip(*((high - y, y - low) for y, low, high in ends), strict=True)
        bars = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
        more = {"error_y": {**bars, "color": line.colour, "thickness": 1, "width": 2}}
    hover = "predicted %{x:.4f}<br>observed %{y:.4f}, %{text}"
    add_line(figure, line, found["predicted"], found["observed"], hover, text, **more)


def _moved(before: Arm, after: Arm) -> tuple[bool, bool]:
    """Whether PCOC on clicks came nearer to 1, and whether the bias on all moved off 0."""
    if before["pcoc"] is None or "entire" not in before["truth"]:
        return False, False
    helped = abs(after["pcoc"] - 1) < abs(before["pcoc"] - 1)
    bias = [abs(judged["truth"]["entire"]["cvr_bias"]) for judged in (before, after)]
    return helped, bias[1] > bias[0]


def _spaces(part: Part) -> list[str]:
    known = {
        space
        for studies in part.studies.values()
        for study in studies
        for space in study["arms"][0]["judged"]["truth"]
    }
    return [space for space in SPACES if space in known]


def _mean(arms: Sequence[Arm], *path: str) -> Value:
    """A figure of the same calibrator over seeds; a dash where a seed has none."""
    values = []
    for arm in arms:
        found: Any = arm.get("judged")
        for key in path:
            found = None if found is None else found.get(key)
        if found is None:
            return Value("-", hint=arm.get("undefined", ""))
        values.append(found)
    mean = fmean(values)
    return Value(signed(mean), mean)
