"""`RunSettings`: everything that decides a run besides the data, as it stands in config.yaml."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.methods import REGISTRY, find_method
from postclick.methods.base import Method, MethodConfig
from postclick.methods.fitted import FittedMethod
from postclick.nn.backbones import TaskBackbone
from postclick.nn.config import NetworkConfig
from postclick.registry import asked_for
from postclick.runs.overrides import SECTIONS, parse_override, require_say
from postclick.runs.teacher import Teacher
from postclick.runs.training_config import TrainingConfig
from postclick.suggest import meant

# What learns from another run's predictions.
TAUGHT = "naive"
_BACKBONE = re.compile(r"\s*(network\.)?backbone\s*=")


class RunSettings(BaseModel):
    """Method, its options, network, training and seed.

    `method` may name a variant (`choruscvr/no_sam`); its options are then part of `options`.
    `teacher` is the run whose predictions were learnt in place of labels, if there was one.

    >>> settings = RunSettings.make("choruscvr/no_sam", overrides=["lr=0.01"])
    >>> settings.options["align_weight"], settings.training.lr
    (0.0, 0.01)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    options: dict[str, Any] = {}
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = TrainingConfig()
    seed: int = 0
    teacher: Teacher | None = None

    @model_validator(mode="after")
    def _only_a_plain_network_is_taught(self) -> Self:
        if self.teacher is not None and self.method != TAUGHT:
            raise ValueError(
                f"a teacher teaches {TAUGHT}, not {self.method}: leave method at {TAUGHT}, or the "
                "teacher out"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_a_teacher_unless_there_is_one(
        self, plain: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        data: dict[str, Any] = plain(self)
        if self.teacher is None:
            del data["teacher"]
        return data

    @field_validator("network", mode="wrap")
    @classmethod
    def _know_the_methods_backbone(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if isinstance(value, NetworkConfig):
            return value
        with suppress(InputError):  # an unknown method is refused where its options are read
            method, _ = find_method(info.data.get("method", ""))
            return NetworkConfig.parse(value, method.backbone)
        return validate(value)

    @property
    def method_config(self) -> MethodConfig:
        method, _ = find_method(self.method)
        return method.Config.parse(self.method, self.options)

    @property
    def differs_on_clicks(self) -> bool:
        """Whether pCVR is meant to be another rate than that of conversions on clicks."""
        method, _ = find_method(self.method)
        taught = self.teacher is not None and self.teacher.differs_on_clicks
        return taught or method.differs_on_clicks(self.method_config)

    @property
    def fits_itself(self) -> bool:
        """Whether the method is one that is not trained by batches."""
        return issubclass(find_method(self.method)[0], FittedMethod)

    @property
    def epochs(self) -> int:
        """Of the whole run at the most, preparing phases included."""
        method, _ = find_method(self.method)
        return self.training.epochs + method.extra_epochs(self.method_config, self.training.epochs)

    @property
    def backbone(self) -> type[TaskBackbone]:
        """The backbone in use: the one that is set, or that of the method's paper."""
        method, _ = find_method(self.method)
        return self.network.backbone_of(method.backbone)

    @classmethod
    def make(
        cls,
        method: "str | type[Method[Any]] | None" = None,
        *,
        config: Mapping[str, Any] | None = None,
        overrides: Sequence[str] = (),
        seed: int | None = None,
    ) -> Self:
        """Settings from a mapping (a config file), then `key=value` overrides, then arguments.

        Args:
            method: a name, a place (`package.module:Class`), perhaps with `/variant`, or a class.

        Raises:
            InputError: an unknown method, key or value; one line.
        """
        data: dict[str, Any] = {**(config or {})}
        for section in SECTIONS:
            if not isinstance(data.get(section) or {}, Mapping):
                raise InputError(f"settings: {section} must be a mapping, found {data[section]!r}")
        name = data.get("method") if method is None else REGISTRY.name_of(method)
        if not isinstance(name, str) or not name:
            raise InputError("no method named: give --method, or 'method:' in the config file")
        known, variant = find_method(name)
        same = data.get("method") in (None, name)
        options = data.get("options") or {}
        data["options"] = {**variant, **options} if same else dict(variant)
        data["method"] = name
        for section in SECTIONS[1:]:
            data[section] = {**(data.get(section) or {})}
        given: list[tuple[str, str, str]] = []
        # A backbone first: it says which other settings there are.
        for override in sorted(overrides, key=lambda text: not _BACKBONE.match(text)):
            backbone = data["network"].get("backbone", known.backbone)
            section, key, value = parse_override(override, known.Config, backbone)
            given.append((section, key, override))
            if (section, key) == ("network", "backbone") and isinstance(value, str):
                value = asked_for(value)
            data[section][key] = value
        # Last: what a mean reads depends on its members.
        for section, key, override in given:
            require_say(known, section, key, override, data["options"])
        if seed is not None:
            data["seed"] = seed
        try:
            settings = cls.model_validate(data)
        except ValidationError as error:
            raise InputError(f"settings: {first_message(error, cls)}") from None
        parsed = settings.method_config  # refuses unknown options
        options = parsed.model_dump(mode="json", exclude_unset=True)
        network = settings.network.completed(settings.backbone)
        return settings.model_copy(update={"options": options, "network": network})

    def to_yaml(self) -> str:
        """All settings written out, defaults included, so that a run can be repeated."""
        data = self.model_dump(mode="json")
        data["options"] = self.method_config.model_dump(mode="json")
        data["network"] = self.network.completed(self.backbone).model_dump(mode="json")
        return yaml.safe_dump(data, sort_keys=False)


def value_of(settings: RunSettings, name: str) -> Any:
    """The setting called `section.key`; of options that are not set, the default.

    >>> value_of(RunSettings.make("esmm"), "options.ctcvr_weight")
    1.0
    """
    section, _, key = name.partition(".")
    if section == "options":
        return getattr(settings.method_config, key)
    if section == "network":
        return getattr(settings.network.completed(settings.backbone), key)
    return getattr(getattr(settings, section), key)


def with_values(settings: RunSettings, values: Mapping[str, Any]) -> RunSettings:
    """`settings` with others in place of those called `section.key`, all checked anew.

    Raises:
        InputError: a name or value that cannot be.

    >>> with_values(RunSettings.make("esmm"), {"training.lr": 0.01}).training.lr
    0.01
    """
    data = {section: getattr(settings, section) for section in SECTIONS}
    data = {n: {**(v if n == "options" else v.model_dump())} for n, v in data.items()}
    for name, value in values.items():
        section, _, key = name.partition(".")
        data[section][key] = value
    return RunSettings.make(
        config={"method": settings.method, "seed": settings.seed, **data},
    )


def load_config(path: str | Path) -> dict[str, Any]:
    """Read a settings file (YAML)."""
    try:
        data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"config {path} cannot be read as YAML: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"config {path}: expected a mapping of settings")
    unknown = set(data) - set(RunSettings.model_fields)
    if unknown:
        known, first = ", ".join(RunSettings.model_fields), sorted(unknown)[0]
        raise InputError(
            f"config {path}: unknown key {first!r}{meant(first, RunSettings.model_fields)}"
            f"; keys: {known}"
        )
    return data
