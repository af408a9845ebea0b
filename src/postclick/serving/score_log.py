"""`score`: a log of any length to a file of probabilities, row by row."""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from postclick.calibration.probabilities import PREDICTIONS
from postclick.data.read.opening import LogLike, LogSource
from postclick.errors import InputError
from postclick.judging.scorer import with_log
from postclick.progress import Reporter, Silent
from postclick.serving.bundle.bundle import Bundle
from postclick.serving.score_writer import ScoreWriter, format_of
from postclick.spelling import option
from postclick.system.files import replacing

# Rows that a thread encodes and scores at a time: few enough for the cache, and enough that
# starting to work on a column takes no time beside its rows.
PIECE_ROWS = 8192


@dataclass(frozen=True)
class ScoredLog:
    """What `score` did."""

    out: Path
    rows: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        return self.rows / max(self.seconds, 1e-9)


def score(
    bundle: Bundle | str | Path,
    logs: LogLike,
    out: str | Path,
    *,
    keep: Sequence[str] = (),
    read: Sequence[str] = (),
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> ScoredLog:
    """Score a log of raw features into a file, one row for each of its rows, in order.

    Reading, encoding, the model and writing overlap; memory does not grow with the log.

    Args:
        bundle: a bundle, or its folder.
        logs: anything that `open_log` takes: paths, frames, an opened log; labels are not needed.
        out: written in one step when all rows are scored; columns `keep`, then float32 `pctr`,
            `pcvr`, `pctcvr`. Parquet (.parquet, .pq), Arrow IPC (.arrow, .feather), CSV (.csv,
            .tsv) or JSON lines (.jsonl), the text also compressed (.csv.gz).
        keep: raw columns to copy beside the scores.
        read: how text files are written, `KEY=VALUE` each, in place of what the schema says.
        threads: by default one for each core.

    Raises:
        InputError: a column is missing or of the wrong type, a file is damaged, or `out` names
            another format; what was at `out` is then still there.
    """
    began = time.perf_counter()
    if threads is not None and threads < 1:
        raise InputError(f"{option('threads')} is {threads}: give 1 or more")
    # Each thread scores pieces of its own: the model needs none beside it.
    model = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, threads=1)
    model, log = with_log(model, logs, read)
    out, reporter = Path(out), reporter or Silent()
    clash = next((name for name in keep if name in PREDICTIONS), None)
    if clash is not None:
        raise InputError(f"column {clash!r} cannot be kept, scores have that name: rename it")
    _check_place(out, log)
    format_of(out)
    log.require([*model.features, *keep])
    reporter.start("score", None, "rows")
    rows = 0
    with (
        replacing(out) as file,
        ScoreWriter(file, out) as writer,
        ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool,
    ):
        for scored in _scored(log, model, list(dict.fromkeys(keep)), pool):
            writer.add(scored)
            rows += scored.height
            reporter.advance(scored.height)
        writer.finish(_empty(keep))
    return ScoredLog(out, rows, time.perf_counter() - began)


def _check_place(out: Path, log: LogSource) -> None:
    if out.is_dir():
        raise InputError(f"{out} is a folder: name a file to write, such as scores.parquet")
    if out.exists() and any(file.exists() and out.samefile(file) for file in log.files):
        raise InputError(f"{out} is the log that is to be scored: name another file to write")


def _scored(
    log: LogSource, bundle: Bundle, keep: list[str], pool: ThreadPoolExecutor
) -> Iterator[pl.DataFrame]:
    """Scored pieces in the order of the log.

    While the threads score the pieces of one frame, the next frame is read.
    """

    def work(piece: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame([*(piece[name] for name in keep), *bundle.score(piece)])

    waiting: deque[list[Future[pl.DataFrame]]] = deque()
    try:
        for frame in log.frames(list(dict.fromkeys([*bundle.features, *keep]))):
            # Refuses a wrong type before any row is scored, and builds what threads then share.
            bundle.encode(frame.head(1))
            waiting.append([pool.submit(work, piece) for piece in frame.iter_slices(PIECE_ROWS)])
            if len(waiting) > 1:
                yield from (task.result() for task in waiting.popleft())
        for tasks in waiting:
            yield from (task.result() for task in tasks)
    finally:
        for tasks in waiting:
            for task in tasks:
                task.cancel()


def _empty(keep: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        schema={**dict.fromkeys(keep, pl.String), **dict.fromkeys(PREDICTIONS, pl.Float32)}
    )
