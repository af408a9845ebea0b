"""With which settings an experiment runs, and who states each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postclick.experiments.comparison.plan import Plan
from postclick.nn.shared_settings import SharedSettings
from postclick.papers.experiment import Experiment
from postclick.runs.settings import RunSettings
from postclick.runs.training_config import batch_size_for

# Neither has a say in the numbers.
SILENT = {"device", "threads", "checkpoint_minutes", "eval_batch_size"}
# With fewer, a table compares how models start.
FEWEST_STEPS = 100


@dataclass(frozen=True)
class Used:
    """A setting as it was used by all arms, and where it comes from."""

    key: str
    value: Any
    source: str


def paper_overrides(experiment: Experiment) -> list[str]:
    """What the paper or its code states, as `--set` takes it."""
    return [setting.override for setting in experiment.paper.settings]


def used_settings(experiment: Experiment, overrides: Sequence[str]) -> tuple[Used, ...]:
    """Every setting of network and training, `overrides` winning over the paper's.

    Options of methods are not among them: they differ from arm to arm.

    Raises:
        InputError: an unknown setting or value, for any arm.
    """
    paper = paper_overrides(experiment)
    settings, plain = _settings(experiment, [*paper, *overrides]), _settings(experiment, paper)
    stated = {setting.key: setting.source for setting in experiment.paper.settings}
    mine = {*SharedSettings.model_fields, *settings.backbone.Options.model_fields}
    found = []
    for section in ("network", "training"):
        now, before = (getattr(s, section).model_dump(mode="json") for s in (settings, plain))
        for name, value in now.items():
            if name in SILENT or (section == "network" and name not in mine):
                continue
            key = f"{section}.{name}"
            source = "paper" if name == "backbone" else stated.get(key, "library default")
            given = value != before.get(name)
            found.append(Used(key, value, "given with --set" if given else source))
    return tuple(found)


def few_steps(used: Sequence[Used], rows: int) -> str | None:
    """A warning where a log of `rows` training rows is too small for the batch.

    >>> used = [Used("training.batch_size", 8000, "paper"), Used("training.epochs", 1, "paper")]
    >>> few_steps(used, 10_000).partition(":")[2]
    ' give --set batch_size=256'
    >>> few_steps(used, 1_000_000) is None
    True
    """
    value = {setting.key: setting.value for setting in used}
    batch = value["training.batch_size"] or batch_size_for(rows)
    steps = -(-rows // batch) * value["training.epochs"]
    if steps >= FEWEST_STEPS:
        return None
    return (
        f"a run has {steps} steps of {batch:,} rows on this log, its models stay near their start: "
        f"give --set batch_size={batch_size_for(rows)}"
    )


def _settings(experiment: Experiment, overrides: Sequence[str]) -> RunSettings:
    plan = Plan.make(experiment.arms, 1, overrides, experiment.paper.backbone)
    return plan.jobs[0].settings
