"""Calibration of a run's pCVR after training."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from postclick.cli.shared import BadRowsOption, Json, OneData, RawLogs, Reads, app
from postclick.console import one_line_errors, print_json
from postclick.spelling import counted

if TYPE_CHECKING:
    from postclick.calibration.calibration_file import Calibration
    from postclick.calibration.reliability import JudgedCalibrator


@app.command()
def calibrate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: OneData = None,
    kind: Annotated[
        Literal["isotonic", "platt", "temperature", "none", "best"],
        typer.Option(help="What to fit; best: the simplest that does as well as any."),
    ] = "best",
    weights: Annotated[
        Literal["none", "propensity"],
        typer.Option(help="Of clicked rows; propensity: 1/pCTR, for the entire space."),
    ] = "none",
    clip: Annotated[
        float | None, typer.Option(help="Least pCTR in weights [the method's own, or .01].")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A split to judge on, such as test; never used to fit.")
    ] = None,
    log: RawLogs = [],  # noqa: B006 - typer copies it
    judge_log: Annotated[
        list[str], typer.Option(help="Raw log to judge on, with other rows; may be repeated.")
    ] = [],  # noqa: B006
    reads: Reads = [],  # noqa: B006
    on_bad_rows: BadRowsOption = "error",
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Also where it undoes a correction, as of selection."),
    ] = False,
    json: Json = False,
) -> None:
    """Calibrate a run's pCVR on clicks it has not seen and write RUN/calibration.json.

    \b
    Example: postclick calibrate run data --kind isotonic --judge test

    \b
    Example: postclick calibrate run --log monday.parquet --judge-log tuesday.parquet
    """
    from postclick.calibration.calibration_file import CALIBRATION
    from postclick.runs.calibrate import calibrate as fit

    with one_line_errors():
        bounds = None if clip is None else (clip, 1.0)
        found = fit(
            run,
            data,
            kind,
            weights=weights,
            clip=bounds,
            judge=judge,
            log=log or None,
            judge_log=judge_log or None,
            read=reads,
            on_bad_rows=on_bad_rows,
            anyway=anyway,
        )
    if json:
        judged = None
        if found.before is not None and found.after is not None:
            on: dict[str, Any] = {"log": judge_log} if judge_log else {"split": judge}
            judged = {**on, "before": asdict(found.before), "after": asdict(found.after)}
        return print_json({**found.document.model_dump(mode="json"), "judged": judged})
    for line in _fitted(found.document):
        print(line)
    if found.before is not None and found.after is not None:
        for line in _judged("judge" if judge_log else str(judge), found.before, found.after):
            print(line)
    return print(f"written: {run / CALIBRATION}")


def _fitted(document: "Calibration") -> list[str]:
    on, told = document.fitted_on, document.validation
    parameters = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{len(value)} knots"
        for name, value in document.calibrator.items()
        if name not in ("kind", "calibrated")
    ).replace("logit ", "")
    kind = document.calibrator["kind"] + (f" ({parameters})" if parameters else "")
    clicks = counted(on.clicks, "validation click" if on.log is None else "click")
    of = "" if on.log is None else f" of {on.log}"
    lines = [f"{kind}, fitted on {clicks}, {counted(on.conversions, 'conversion')}{of}"]
    fitted = on.split or "log"
    if told.tried is not None:
        tried = ", ".join(f"{name} {nll:.4f}" for name, nll in told.tried.items())
        lines.append(f"cross-fitted NLL by kind: {tried}")
    lines.append(_line(fitted, "clicked", "PCOC", told.before.pcoc, told.after.pcoc))
    lines.append(_line(fitted, "clicked", "NLL", told.before.nll, told.after.nll))
    if on.weights == "propensity":
        low, high = on.clip or (0.0, 1.0)
        before, after = told.before, told.after
        lines += [
            _line(fitted, "weighted", "PCOC", before.weighted_pcoc, after.weighted_pcoc),
            _line(fitted, "weighted", "NLL", before.weighted_nll, after.weighted_nll),
            f"weights 1/pCTR, pCTR within {low:g} and {high:g}: they count like "
            f"{on.effective_sample_size:,.0f} equally weighted clicks",
        ]
    return lines


def _judged(split: str, before: "JudgedCalibrator", after: "JudgedCalibrator") -> list[str]:
    lines = [
        _line(split, "clicked", "PCOC", before.pcoc, after.pcoc),
        _line(split, "clicked", "NLL", before.nll, after.nll),
        _line(split, "clicked", "ECE", before.ece, after.ece),
    ]
    for space, found in before.truth.items():
        then = after.truth[space]
        lines.append(_line(split, space, "cvr_bias", found.cvr_bias, then.cvr_bias))
        lines.append(_line(split, space, "true_cvr_nll", found.true_cvr_nll, then.true_cvr_nll))
    return lines


def _line(split: str, space: str, name: str, before: float | None, after: float | None) -> str:
    values = ("undefined" if value is None else f"{value:.4f}" for value in (before, after))
    return f"{split:<6} {space:<10} {name:<13} {' -> '.join(values)}"
