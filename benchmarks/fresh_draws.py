"""Methods trained and judged on fresh draws of worlds; results are kept as they come."""

import json
import multiprocessing
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postclick.data.prepared import PreparedLog

FIRST_SEED = 100
Record = dict[str, Any]
# Between settings; not within a list of members.
COMMA = re.compile(r",(?![^\[]*\])")


@dataclass(frozen=True)
class Draw:
    """A log of a world: settings as `simulate` takes them, `number` is its seed."""

    world: str
    number: int
    settings: tuple[tuple[str, Any], ...]

    @property
    def key(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.settings)
        return f"{self.world} {self.number} {told}"


def draw_of(world: str, number: int, **settings: Any) -> Draw:
    return Draw(world, number, tuple(sorted(settings.items())))


def apart(title: str) -> tuple[str, list[str]]:
    """Name and settings of `NAME,key=value,...`.

    >>> apart("mean_of,members=[naive,esmm],mean=logit")
    ('mean_of', ['members=[naive,esmm]', 'mean=logit'])
    """
    name, *options = COMMA.split(title)
    return name, options


def drawn_log(folder: Path, draw: Draw) -> "PreparedLog":
    """The log of a draw, in an empty `folder`."""
    from postclick.data.write.prepare import prepare
    from postclick.datasets.opening import open_splits
    from postclick.datasets.simulated import write_simulated

    shutil.rmtree(folder, ignore_errors=True)
    raw = folder / "log"
    write_simulated(raw, draw.world, seed=FIRST_SEED + draw.number, **dict(draw.settings))
    splits = open_splits(raw / "schema.yaml", raw / "train.parquet", raw / "test.parquet")
    return prepare(splits, folder / "data")


def judged(
    folder: Path, draw: Draw, methods: Sequence[str], common: Sequence[str] = ()
) -> list[Record]:
    """Train methods, `NAME,key=value,...` each, on one draw, and judge them on its test split.

    Args:
        common: settings of all methods that read them.
    """
    from postclick import train
    from postclick.judging.oracle import baseline_value, oracle_metrics
    from postclick.methods import find_method
    from postclick.runs.overrides import read_by
    from postclick.runs.settings import RunSettings

    log = drawn_log(folder, draw)
    perfect = {
        f"{m.metric} {m.space}": (m.value, baseline_value(m)) for m in oracle_metrics(log, "test")
    }
    found = []
    for number, method in enumerate(methods):
        name, options = apart(method)
        shared = read_by(find_method(name)[0], ["training.threads=1", *common])
        settings = RunSettings.make(name, overrides=[*shared, *options], seed=draw.number)
        began = time.process_time()
        run = train(log, settings, folder / f"run-{number}")
        seconds = time.process_time() - began
        figures = run.evaluate(log)
        found.append(
            {
                "key": draw.key,
                "world": draw.world,
                "method": method,
                "auc": figures.value("true_cvr_auc", "entire"),
                "nll": figures.value("true_cvr_nll", "entire"),
                "bias": figures.value("cvr_relative_bias", "entire"),
                "cvr_auc": figures.value("cvr_auc"),
                "ctr_auc": figures.value("ctr_auc"),
                "figures": {f"{m.metric} {m.space}": m.value for m in figures.metrics},
                "perfect": perfect,
                "conversions": log.split("train").conversions,
                "seconds": seconds,
            }
        )
    shutil.rmtree(folder)
    return found


def kept_records(out: Path) -> list[Record]:
    """The results that `out` has."""
    path = out / "results.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def in_parallel(
    out: Path, calls: Sequence[Callable[[], list[Record]]], workers: int
) -> Iterator[list[Record]]:
    """What the calls return, as it comes, each in a process of its own and kept in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for one in as_completed([pool.submit(call) for call in calls]):
            with (out / "results.jsonl").open("a") as file:
                file.writelines(json.dumps(record) + "\n" for record in one.result())
            yield one.result()


def by_draw(records: Iterable[Record]) -> dict[tuple[str, str], Record]:
    """By key of the draw and method."""
    return {(record["key"], record["method"]): record for record in records}


def measured(
    out: Path,
    draws: Iterable[Draw],
    methods: Sequence[str],
    workers: int,
    common: Sequence[str] = (),
) -> dict[tuple[str, str], Record]:
    """Results by key of the draw and method; those that `out` has already are taken from it."""
    found = by_draw(kept_records(out))
    calls = []
    for number, draw in enumerate(draws):
        left = [method for method in methods if (draw.key, method) not in found]
        if left:
            calls.append(partial(judged, out / f"draw-{number}", draw, left, common))
    for records in in_parallel(out, calls, workers):
        found |= by_draw(records)
        print(f"{records[0]['key']} done", flush=True)
    return found


def with_error(values: Sequence[float], form: str) -> str:
    """Mean and standard error.

    >>> with_error([1.0, 3.0], ".1f")
    '+2.0 ±1.0'
    """
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{fmean(values):+{form}} ±{error:{form}}"


def print_markdown(rows: Sequence[Mapping[str, str]]) -> None:
    """Rows of one set of columns as a table."""
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")
