"""The command line within this process, and a folder in which its examples work."""

from pathlib import Path

from typer.testing import CliRunner

from helpers.runs import SMALL
from postclick.cli import app
from postclick.datasets.simulated import SimulatedLog

OUTCOMES = ("true_ctr", "true_cvr", "potential_conversion")
SETS = [part for text in (*SMALL, "epochs=1") for part in ("--set", text)]


class Done:
    """What a command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def run(*arguments: str | Path) -> Done:
    """Run `postclick` with these arguments; what is no InputError is raised here."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="postclick")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def succeed(*arguments: str | Path) -> str:
    """Standard output of a command that has to succeed."""
    done = run(*arguments)
    assert done.code == 0, f"{arguments}: {done.err}"
    return done.out


def write_own_log(folder: Path, raw: SimulatedLog) -> None:
    """train.csv, test.csv and schema.yaml, as a user without known truth has them."""
    for name, frame in (("train", raw.train), ("test", raw.test)):
        frame.drop(OUTCOMES).write_csv(folder / f"{name}.csv")
    schema = raw.schema.model_copy(update={"truth": type(raw.schema.truth)()})
    (folder / "schema.yaml").write_text(schema.to_yaml(), encoding="utf-8")
