"""What a search varies, around which settings, and the way between trials and settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.experiments.tuning.shared_ranges import LONGER, PATIENCE, SHARED
from postclick.methods import Method, find_method
from postclick.ranges import Interval, Space, Values
from postclick.runs.settings import RunSettings, value_of, with_values

Range = Interval | Values


@dataclass(frozen=True)
class SearchSpace:
    """A range for each setting that trials vary, around the settings of the first trial.

    Attributes:
        base: the settings that are varied, complete for one log.
        ranges: by the names of settings, e.g. `training.lr`.
    """

    base: RunSettings
    ranges: Mapping[str, Range]

    @classmethod
    def make(
        cls,
        method: "str | type[Method[Any]]",
        log: PreparedLog,
        metric: str,
        seed: int,
        overrides: Sequence[str],
    ) -> Self:
        """The space of a method: what it and training declare, without what `overrides` set.

        Each run uses one thread, and may train longer than is set by default, so that length is
        tuned by keeping the best epoch.
        """
        common = ("training.threads=1", f"training.monitor={metric}")
        given = RunSettings.make(method, overrides=[*overrides, *common], seed=seed)
        base = _completed(given, log)
        ranges = {
            name: space.around(value_of(base, name)) for name, space in declared(given).items()
        }
        if not ranges:
            raise InputError("every setting that could be tuned is set: leave out some --set")
        return cls(base, ranges)

    @property
    def first(self) -> dict[str, Any]:
        """The settings of the first trial, the defaults."""
        return {name: value_of(self.base, name) for name in self.ranges}

    def settings(self, values: Mapping[str, Any]) -> RunSettings:
        """The settings of a trial."""
        return with_values(self.base, values)

    def as_dict(self) -> dict[str, Any]:
        """As plain data: for each setting `[low, high]` or the values."""
        return {name: json.loads(json.dumps(list(r.ends))) for name, r in self.ranges.items()}


def declared(given: RunSettings) -> dict[str, Space]:
    """What is declared for a method: its options, its backbone, and what all share.

    Settings that `given` sets itself are left out.

    >>> spaces = declared(RunSettings.make("naive", overrides=["lr=0.01"]))
    >>> "training.lr" in spaces, spaces["options.cvr_weight"]
    (False, Factor(low=0.1, high=10.0))
    """
    options = {f"options.{name}": space for name, space in given.method_config.searched().items()}
    if given.fits_itself:
        return options
    method, _ = find_method(given.method)
    backbone = given.network.backbone_of(method.backbone)
    kept = {f"network.{name}" for name in given.network.model_fields_set}
    kept |= {f"training.{name}" for name in given.training.model_fields_set}
    own = {f"network.{name}": space for name, space in backbone.Options.search.items()}
    common = {**SHARED, **own}
    return {name: space for name, space in common.items() if name not in kept} | options


def _completed(given: RunSettings, log: PreparedLog) -> RunSettings:
    """With the sizes that depend on the log, and the length on offer, where they are not set."""
    if given.fits_itself:
        return given
    longer = {
        "epochs": LONGER * given.training.epochs,
        "patience": PATIENCE,
        "keep": "best",
    }
    unset = {n: value for n, value in longer.items() if n not in given.training.model_fields_set}
    training = given.training.for_rows(log.split("train").rows).model_copy(update=unset)
    dim = given.network.embedding_dim or log.manifest.log_schema.embedding_dim
    network = given.network.model_copy(update={"embedding_dim": dim})
    return given.model_copy(update={"training": training, "network": network})
