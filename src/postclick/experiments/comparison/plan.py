"""What a comparison is made of: arms, seeds, and one set of settings for all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods import REGISTRY, FittedMethod, find_method, title_of
from postclick.methods.base import Method
from postclick.nn.backbones import Backbone, name_of
from postclick.registry import place_of
from postclick.runs.overrides import has_say, read_by
from postclick.runs.settings import RunSettings
from postclick.spelling import option
from postclick.system.files import read_json, write_json

PLAN = "plan.json"
# Unless told otherwise all methods share this backbone, so that only their losses differ.
FIXED_BACKBONE = "share_bottom"
# Every method is trained for the same number of passes and keeps what it has then.
FIXED_LENGTH = ("training.patience=null", "training.keep=last")


@dataclass(frozen=True)
class Arm:
    """One line of a comparison: a method or variant, perhaps with settings of its own.

    >>> Arm("esmm, lr .003", "esmm", ("training.lr=0.003",)).folder
    'esmm, lr .003'
    """

    label: str
    method: str
    overrides: tuple[str, ...] = ()

    @classmethod
    def of(cls, arm: "str | type[Method[Any]] | Arm") -> "Arm":
        """An arm from a method's name, place or class."""
        if isinstance(arm, Arm):
            return arm
        name = REGISTRY.name_of(arm)
        return cls(title_of(name), name)

    @property
    def folder(self) -> str:
        return self.label.replace("/", "+")


@dataclass(frozen=True)
class Job:
    """One run of a comparison, in `place` below its folder; only `judged` ones see `split`."""

    arm: str
    seed: int
    settings: RunSettings
    place: str
    judged: bool = True

    def folder(self, out: Path) -> Path:
        return out / self.place

    @property
    def name(self) -> str:
        """For messages, e.g. `evi seed 0`, `tuned evi seed 0`, `evi trial 3`."""
        kind, _, run = self.place.split("/")
        tuned = "tuned " if kind == "tuned" else ""
        return f"{tuned}{self.arm} {run.replace('-', ' ')}"


@dataclass(frozen=True)
class Plan:
    """All runs of a comparison on one prepared log that have the same training length.

    Attributes:
        arms, seeds, overrides: what is compared, with settings for all.
        jobs: a run for each arm and seed.
        backbone: the same for all arms, or `auto`.
    """

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    overrides: tuple[str, ...]
    jobs: tuple[Job, ...]
    backbone: str

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(arm.label for arm in self.arms)

    @classmethod
    def make(
        cls,
        methods: "Sequence[str | type[Method[Any]] | Arm]",
        seeds: int,
        overrides: Sequence[str] = (),
        backbone: Backbone = FIXED_BACKBONE,
    ) -> "Plan":
        """Runs of `methods` (names, variants, classes, `all`, or arms) with seeds 0, 1, ...

        `all` leaves out what is the same method twice on one backbone (MMOE is naive there), and
        methods whose packages are not installed.
        `overrides` hold for every method; an option that only some methods have is an error.
        Each run uses one thread, so that results do not depend on how many run side by side.
        """
        arms = tuple(
            Arm.of(name)
            for given in methods
            for name in (_all(backbone) if given == "all" else (given,))
        )
        _require_one_class_a_place(methods)
        folders = [arm.folder for arm in arms]
        repeated = next((a.label for a in arms if folders.count(a.folder) > 1), None)
        if repeated is not None:
            raise InputError(f"method {repeated} is named twice")
        if not arms or seeds < 1:
            raise InputError("a comparison needs at least one method and one seed")
        named = backbone if isinstance(backbone, str) else name_of(backbone)
        common = ("training.threads=1", f"network.backbone={named}", *overrides)
        jobs = tuple(
            Job(arm.label, seed, settings, f"runs/{arm.folder}/seed-{seed}")
            for arm in arms
            for seed in range(seeds)
            for settings in [_settings(arm, (*FIXED_LENGTH, *common), seed)]
        )
        networks = [job.settings.network for job in jobs if _has_network(job.settings)]
        kind = networks[0].backbone if networks else named
        return cls(arms, tuple(range(seeds)), common, jobs, kind)

    def claim(self, out: Path, log: PreparedLog, trials: int = 0) -> None:
        """Write the plan into `out`, or check that the one there is compatible.

        A folder may be taken up again with more seeds or methods, never with other settings or
        another log: results of different protocols must not stand in one table.
        """
        path = out / PLAN
        settings = {job.arm: job.settings.model_dump(mode="json") for job in self.jobs}
        for entry in settings.values():
            del entry["seed"]
        mine: dict[str, Any] = {"data_fingerprint": log.fingerprint, "settings": settings}
        mine["trials"] = trials
        if path.exists():
            before = read_json(path)
            if before.get("data_fingerprint") != log.fingerprint:
                raise InputError(
                    f"{out} compares methods on another log: name another {option('out')}"
                )
            for method, entry in before.get("settings", {}).items():
                if method in settings and json.dumps(entry) != json.dumps(settings[method]):
                    raise InputError(
                        f"{out} holds runs of {method} with other settings: "
                        f"name another {option('out')}"
                    )
            if before.get("trials") and trials and before["trials"] != trials:
                raise InputError(
                    f"{out} holds methods tuned with {before['trials']} trials each, not {trials}: "
                    f"name another {option('out')}"
                )
            mine["settings"] = {**before.get("settings", {}), **settings}
            mine["trials"] = trials or before.get("trials", 0)
        write_json(path, mine)


def _require_one_class_a_place(methods: "Sequence[str | type[Method[Any]] | Arm]") -> None:
    """Of two classes at one place, as a function that makes them has, the first would be lost."""
    classes = [given for given in methods if isinstance(given, type)]
    for one in classes:
        if any(place_of(one) == place_of(other) and one is not other for other in classes):
            raise InputError(
                f"two classes lie at {place_of(one)}: give each a module-level name of its own"
            )


def _all(backbone: Backbone) -> list[str]:
    """Those whose packages are installed."""
    return [
        name
        for name, method in REGISTRY.items()
        if (backbone == "auto" or method.same_as is None)
        and (not issubclass(method, FittedMethod) or method.can_fit())
    ]


def _has_network(settings: RunSettings) -> bool:
    method, _ = find_method(settings.method)
    return has_say(method, "network", "backbone", settings.options)


def _settings(arm: Arm, overrides: Sequence[str], seed: int) -> RunSettings:
    """An arm's own settings win over those for all, of which it takes those that it reads."""
    method, variant = find_method(arm.method)
    if issubclass(method, FittedMethod):
        method.require_installed()
    read = read_by(method, overrides, variant, arm.overrides)
    return RunSettings.make(arm.method, overrides=[*read, *arm.overrides], seed=seed)
