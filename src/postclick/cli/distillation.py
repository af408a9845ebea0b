"""One network that predicts what a run does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postclick.cli.shared import Data, Json, Out, Seed, Sets, Tracks, app
from postclick.console import one_line_errors, print_json, reporting

if TYPE_CHECKING:
    from postclick.experiments.distillation.parity import AucLost, Parity


@app.command()
def distill(
    run: Annotated[Path, typer.Argument(help="A run folder: the teacher.")],
    data: Data,
    out: Out,
    sets: Sets = [],  # noqa: B006 - typer copies it
    seed: Seed = 0,
    split: Annotated[str, typer.Option(help="Where the two are compared.")] = "valid",
    track: Tracks = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Train one plain network on what a run predicts, and say what is lost and what is saved.

    \b
    Example: postclick distill run data --out student
    """
    from postclick.experiments.distillation.distill import PARITY
    from postclick.experiments.distillation.distill import distill as teach

    with one_line_errors(), reporting(json) as reporter:
        found = teach(
            run,
            data,
            out,
            overrides=sets,
            seed=seed,
            split=split,
            reporter=reporter,
            track=track,
        )
    if json:
        return print_json({"run": str(out), "parity": found.parity.as_dict()})
    for line in _lines(found.parity):
        print(line)
    return print(f"written: {out / PARITY}; judge the student with 'postclick evaluate'")


def _lines(parity: "Parity") -> list[str]:
    teacher, student = parity.teacher, parity.student
    lines = [f"student against teacher on {parity.rows:,} rows of the {parity.split} split"]
    lines += [_auc(one) for one in parity.auc]
    for name in ("pctr", "pcvr"):
        apart, mean = getattr(parity, f"{name}_difference"), getattr(parity, f"mean_{name}")
        shown = f"{name[0]}{name[1:].upper()}"
        lines.append(f"mean difference of {shown} {apart:.5f}, {apart / mean:.1%} of its mean")
    size = f"{teacher.bytes / 1e6:.2f} -> {student.bytes / 1e6:.2f} MB"
    speed = f"{teacher.rows_per_second:,} -> {student.rows_per_second:,} rows/s"
    times = student.rows_per_second / teacher.rows_per_second
    return [*lines, f"weights {size}, scoring {speed} ({times:.1f} times)"]


def _auc(one: "AucLost") -> str:
    named = f"{one.metric:<13} {one.space:<8}"
    if one.difference is None:
        return f"{named} undefined: {one.undefined}"
    apart = one.difference
    return (
        f"{named} {one.teacher:.4f} -> {one.student:.4f}, {apart.difference:+.4f} "
        f"({apart.low:+.4f} to {apart.high:+.4f})"
    )
