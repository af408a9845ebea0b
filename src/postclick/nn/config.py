"""`NetworkConfig`: the architecture, the same words for every method."""

from contextlib import suppress
from typing import Any, Self, cast

from pydantic import (
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails

from postclick.errors import InputError
from postclick.nn.backbones import (
    BACKBONES,
    Backbone,
    BackboneOptions,
    TaskBackbone,
    find_backbone,
    name_of,
)
from postclick.nn.shared_settings import AUTO, SharedSettings


class NetworkConfig(SharedSettings):
    """Sizes and shapes of a network: what all share, and options of backbones beside it.

    An option of a backbone that is not the one in use is accepted and has no say, so that
    methods whose papers have different backbones can be given the same settings.

    Attributes:
        backbone: a name, `package.module:Class` or a class; `auto` is that of the method's paper.
        embedding_dim: `None` takes the log schema's.
        numeric: `concat` feeds numbers to the network as they are, `project` maps all of them to
            one further field of `embedding_dim`, as in the EVI authors' code.
        tower: widths of each task's layers above the backbone.
        attention: widths of the layers that weigh a list's elements, where a list is pooled by
            attention.

    >>> network = NetworkConfig(backbone="mmoe", experts=4)
    >>> network.options_of("mmoe")
    MMoEOptions(experts=4, expert_width=256, expert_dropout=0.3)
    """

    # Options of backbones are among the extra values, each checked by the backbone's own class.
    model_config = ConfigDict(extra="allow")

    @field_validator("backbone", mode="before")
    @classmethod
    def _is_a_backbone(cls, value: Any) -> Any:
        if isinstance(value, str) and value == AUTO:
            return value
        try:
            return name_of(value)
        except InputError as error:
            raise ValueError(f"{error}; or {AUTO}") from None

    @classmethod
    def parse(cls, data: Any, own: Backbone) -> Self:
        """Settings for a method whose paper has the backbone `own`: its options are known too.

        Raises:
            ValidationError: of pydantic.
        """
        return cls.model_validate(data, context={AUTO: own})

    @model_validator(mode="after")
    def _options_are_valid(self, info: ValidationInfo) -> Self:
        given, checked = self.options, dict[str, Any]()
        refused: dict[str, ValidationError] = {}
        name = (info.context or {}).get(AUTO) if self.backbone == AUTO else self.backbone
        used = None if name is None else find_backbone(name)
        for backbone in dict.fromkeys((*([used] if used else []), *BACKBONES.values())):
            fields = backbone.Options.model_fields
            mine = {name: given[name] for name in fields if name in given}
            try:
                taken = backbone.Options.model_validate(mine)
            except ValidationError as error:
                refused |= {name: error for name in mine if name not in refused}
                if backbone is used:
                    raise
            else:
                checked |= {n: getattr(taken, n) for n in mine if n not in checked}
        for name, value in given.items():
            if name in checked:
                continue
            if name in refused:
                raise refused[name]
            problem = InitErrorDetails(type="extra_forbidden", loc=(name,), input=value)
            raise ValidationError.from_exception_data(type(self).__name__, [problem])
        given.clear()
        given.update(checked)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The options of backbones that are set."""
        assert self.__pydantic_extra__ is not None
        return self.__pydantic_extra__

    def backbone_of(self, own: Backbone) -> type[TaskBackbone]:
        """The backbone in use, for a method whose paper has `own`.

        Raises:
            InputError: there is no such backbone.
        """
        return find_backbone(own if self.backbone == AUTO else self.backbone)

    def options_of(self, backbone: Backbone) -> BackboneOptions:
        """The options of a backbone, defaults where they are not set.

        Raises:
            InputError: a value is not valid for it.
        """
        found = find_backbone(backbone)
        mine = {n: v for n, v in self.options.items() if n in found.Options.model_fields}
        try:
            return found.Options.model_validate(mine)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(map(str, problem["loc"]))
            text = str(problem["msg"]).removeprefix("Value error, ")
            raise InputError(f"backbone {found.name}: network.{where}: {text}") from None

    def completed(self, backbone: Backbone) -> Self:
        """The same settings with all options of `backbone` written out.

        What counts as set (`model_fields_set`) is what was before.

        >>> NetworkConfig(experts=4).completed("mmoe").model_dump()["expert_width"]
        256
        """
        options = self.options_of(backbone)
        every = {**{n: getattr(options, n) for n in type(options).model_fields}, **self.options}
        shared = {name: getattr(self, name) for name in type(self).model_fields}
        return self.model_construct(set(self.model_fields_set), **shared, **every)

    @classmethod
    def names(cls, backbone: object = None) -> tuple[str, ...]:
        """Every setting that may be given, those of `backbone` too if it is one.

        >>> "experts" in NetworkConfig.names(), "width" in NetworkConfig.names()
        (True, False)
        """
        classes = list(BACKBONES.values())
        with suppress(InputError):  # what is wrong with it is said where it is set
            classes.append(find_backbone(cast("Backbone", backbone)))
        options = (name for found in classes for name in found.Options.model_fields)
        return tuple(dict.fromkeys((*cls.model_fields, *options)))
