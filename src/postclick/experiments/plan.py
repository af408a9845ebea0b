"""What a comparison is made of: methods, seeds, and one set of settings for all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.files import read_json, write_json
from postclick.methods import METHODS
from postclick.training.settings import RunSettings

PLAN = "plan.json"
# Unless told otherwise all methods share this backbone, so that only their losses differ.
FIXED_BACKBONE = "share_bottom"


@dataclass(frozen=True)
class Job:
    """One run of a comparison."""

    method: str
    seed: int
    settings: RunSettings

    def folder(self, out: Path) -> Path:
        return out / "runs" / self.method.replace("/", "+") / f"seed-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """All runs of a comparison on one prepared log."""

    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    jobs: tuple[Job, ...]
    backbone: str

    @classmethod
    def make(
        cls,
        methods: Sequence[str],
        seeds: int,
        overrides: Sequence[str] = (),
        backbone: str = FIXED_BACKBONE,
    ) -> "Plan":
        """Runs of `methods` (names, variants, or `all`) with seeds 0, 1, ...

        `overrides` hold for every method; an option that only some methods have is an error.
        Each run uses one thread, so that results do not depend on how many run side by side.
        """
        names = [n for name in methods for n in (METHODS if name == "all" else (name,))]
        repeated = next((n for n in names if names.count(n) > 1), None)
        if repeated is not None:
            raise InputError(f"method {repeated} is named twice")
        if not names or seeds < 1:
            raise InputError("a comparison needs at least one method and one seed")
        fixed = ["training.threads=1", f"network.backbone={backbone}", *overrides]
        jobs = tuple(
            Job(name, seed, RunSettings.make(name, overrides=fixed, seed=seed))
            for name in names
            for seed in range(seeds)
        )
        return cls(tuple(names), tuple(range(seeds)), jobs, jobs[0].settings.network.backbone)

    def claim(self, out: Path, log: PreparedLog) -> None:
        """Write the plan into `out`, or check that the one there is compatible.

        A folder may be taken up again with more seeds or methods, never with other settings or
        another log: results of different protocols must not stand in one table.
        """
        path = out / PLAN
        settings = {job.method: job.settings.model_dump(mode="json") for job in self.jobs}
        for entry in settings.values():
            del entry["seed"]
        mine = {"data_fingerprint": log.fingerprint, "settings": settings}
        if path.exists():
            before = read_json(path)
            if before.get("data_fingerprint") != log.fingerprint:
                raise InputError(f"{out} compares methods on another log: name another --out")
            for method, entry in before.get("settings", {}).items():
                if method in settings and json.dumps(entry) != json.dumps(settings[method]):
                    raise InputError(
                        f"{out} holds runs of {method} with other settings: name another --out"
                    )
            mine["settings"] = {**before.get("settings", {}), **settings}
        write_json(path, mine)
