"""`evaluate`: a finished run judged on a split, or on a raw log of any day."""

from collections.abc import Sequence
from pathlib import Path

from postclick.data.check.columns.labels import BadRows
from postclick.data.prepared import PreparedLog
from postclick.data.read.opening import LogLike
from postclick.errors import InputError
from postclick.judging.judge import Judgement
from postclick.judging.segments import TOP
from postclick.runs.run import Run
from postclick.spelling import option


def evaluate(
    run: Run | str | Path,
    data: PreparedLog | str | Path | None = None,
    split: str = "test",
    *,
    by: str | Sequence[str] = (),
    top: int = TOP,
    log: LogLike | None = None,
    read: Sequence[str] = (),
    on_bad_rows: BadRows = "error",
    name: str | None = None,
    exposure_at: str | int | None = None,
) -> Judgement:
    """Judge a finished run on a split of the log that it was trained on, or on any raw log.

    Args:
        data: the prepared log.
        log: a raw log with labels, of any day, instead of `data`.

    The others are as in `Run.evaluate`.

    Raises:
        InputError: there is no such run, split or feature, or `data` is another log; `log` lacks a
            column or holds what `prepare` would refuse; both are given, or neither.
    """
    trained = run if isinstance(run, Run) else Run(run)
    if (data is None) == (log is None):
        raise InputError(
            f"give one log to judge on: the prepared one, or a raw one with {option('log')}"
        )
    given: PreparedLog | LogLike
    if log is not None:
        given = log
    else:
        assert data is not None
        given = data if isinstance(data, PreparedLog) else PreparedLog(data)
    return trained.evaluate(
        given,
        split,
        by=by,
        top=top,
        read=read,
        on_bad_rows=on_bad_rows,
        name=name,
        exposure_at=exposure_at,
    )
