"""`ceiling`: one model on clicked rows, on random ones and on all, over draws of a world."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from postclick.datasets.simulated import get_world
from postclick.errors import InputError
from postclick.experiments.ceiling.arms import ARMS
from postclick.experiments.ceiling.result import Ceiling
from postclick.experiments.ceiling.train_arm import (
    ArmFigures,
    ArmTask,
    train_arm,
    train_arm_in_worker,
)
from postclick.experiments.comparison.plan import FIXED_BACKBONE, FIXED_LENGTH
from postclick.experiments.worker_pool import LabelledReporter, worker_pool
from postclick.methods import REGISTRY, find_method, title_of
from postclick.methods.base import Method
from postclick.progress import Reporter, Silent
from postclick.registry import require_importable
from postclick.runs.overrides import read_by
from postclick.runs.settings import RunSettings
from postclick.system.threads import cores


def ceiling(
    world: str = "confounded",
    *,
    rows: int | None = None,
    ctr: float | None = None,
    cvr: float | None = None,
    draws: int = 3,
    method: str | type[Method[Any]] = "naive",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Ceiling:
    """What selection costs and what labels cost: one model, four sets of rows that have labels.

    Of each draw of the world the model is trained on `clicked` rows with recorded conversions, on
    `random_rows`, as many, and `random_conversions`, random rows with as many conversions, and on
    `all` impressions. Off the clicked rows the labels are potential conversions, which a simulator
    knows: what would have followed a click, drawn from the true CVR, given the unseen cause where
    the world has one. All are judged on the same test impressions against the true CVR.

    To the method an arm's log is any log: the same impressions, clicked on exactly the arm's rows.
    So every method works as it is; but what it learns of clicks are the arm's rows, which is why
    pCTR is not judged, and what it has of clicks flows into pCVR if both share a network:
    `naive/no_ctr` learns conversions alone. Training is as in `compare`: one backbone, one number
    of passes, the weights of the last.

    Args:
        world: a name from `WORLDS`.
        rows, ctr, cvr, options: as of `postclick.simulate`; by default the world's own.
        draws: how many draws of the world, labels and start, with seeds `seed`, `seed` + 1, ...
        method: a name or variant, a place (`package.module:Class`) or a class.
        workers: processes; by default one per core.

    Raises:
        InputError: an unknown world, method or option, or a log too small to learn from.

    >>> found = ceiling("confounded", rows=4_000, ctr=0.3, cvr=0.3, draws=1, workers=1)
    >>> clicked, *_, everything = (found.by_draw(arm)[0] for arm in found.arms)
    >>> everything.conversions > 2 * clicked.conversions
    True
    """
    if draws < 1:
        raise InputError(f"draws is {draws}: give 1 or more, 3 for an interval")
    get_world(world).configured(options or {})
    name = REGISTRY.name_of(method)
    known, _ = find_method(name)
    common = ("training.threads=1", f"network.backbone={FIXED_BACKBONE}", *FIXED_LENGTH)
    settings = {"rows": rows, "ctr": ctr, "cvr": cvr, "options": dict(options or {})}
    drawn = {"world": world, **settings}
    tasks = [
        ArmTask(arm, RunSettings.make(name, overrides=read_by(known, common), seed=one), drawn)
        for one in range(seed, seed + draws)
        for arm in ARMS
    ]
    reporter = reporter or Silent()
    reporter.start(f"{len(tasks)} runs", None, "rows")
    with TemporaryDirectory(prefix="postclick-ceiling-") as folder:
        scratch = Path(folder)
        for count, task in enumerate(
            _trained(tasks, scratch, min(workers or cores(), len(tasks)), reporter), start=1
        ):
            reporter.line(f"{task.name} done, {count} of {len(tasks)} runs")
        figures = tuple(ArmFigures.read(task, scratch) for task in tasks)
    seeds = tuple(range(seed, seed + draws))
    return Ceiling(world, settings, title_of(name), seeds, figures)


def _trained(
    tasks: list[ArmTask], scratch: Path, workers: int, reporter: Reporter
) -> Iterator[ArmTask]:
    """Train, one after the other or side by side, and yield each task as it ends."""
    if workers <= 1:
        for task in tasks:
            train_arm(task, scratch, LabelledReporter(task.name, reporter))
            yield task
        return
    require_importable(tasks[0].settings.method)
    with worker_pool(workers, reporter, "ceiling", kept=False) as pool:
        waiting: dict[Future[None], ArmTask] = {
            pool.submit(train_arm_in_worker, task, scratch): task for task in tasks
        }
        while waiting:
            for future in pool.ended(waiting):
                task = waiting.pop(future)
                future.result()
                yield task
