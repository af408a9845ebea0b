"""Members of a mean: methods by name, how often each is trained, and with which settings."""

from __future__ import annotations

from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from postclick.data.prepared import BaseRates, InputSpec
from postclick.data.schema import first_message
from postclick.errors import InputError
from postclick.methods.base import Method
from postclick.methods.finding import REGISTRY, find_method
from postclick.methods.options import MethodConfig
from postclick.nn.config import NetworkConfig

TIMES = "*"


class Member(BaseModel):
    """A method among those whose predictions are averaged; `naive*3` is three starts of naive.

    Attributes:
        method: a name, a variant or a place.
        starts: how often it is trained, each time with another seed.
        weight: what it counts, all its starts together; starts are repeats that even out noise, so
            members count alike however often each is trained.
        options, network, training: settings of its own, over those of the whole run.

    >>> Member.model_validate("naive*3").starts
    3
    >>> Member(method="evi/no_vie", starts=2).model_dump()
    'evi/no_vie*2'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: str
    starts: int = Field(default=1, ge=1)
    weight: float = Field(default=1.0, gt=0)
    options: dict[str, Any] = {}
    network: dict[str, Any] = {}
    training: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        if isinstance(data, type):
            return {"method": REGISTRY.name_of(data)}
        if isinstance(data, str):
            return cls._counted({"method": data})
        return cls._counted(data) if isinstance(data, dict) else data

    @staticmethod
    def _counted(data: dict[str, Any]) -> dict[str, Any]:
        """With what stands behind a `*` in the method's name as the number of starts."""
        method = data.get("method")
        name, times, count = method.partition(TIMES) if isinstance(method, str) else ("", "", "")
        if not times:
            return data
        if "starts" in data:
            raise ValueError(f"{method!r} and starts: give one of them")
        if not count.strip().isdigit():
            raise ValueError(f"{method!r}: behind the * goes a number of starts, e.g. {name}*3")
        return {**data, "method": name.strip(), "starts": int(count)}

    @model_validator(mode="after")
    def _can_be_built(self) -> Member:
        try:
            _ = self.config
            _ = self.network_over(NetworkConfig())
        except InputError as error:
            raise ValueError(str(error)) from None
        return self

    @model_serializer(mode="wrap")
    def _shortest(self, plain: SerializerFunctionWrapHandler) -> Any:
        data = {k: v for k, v in plain(self).items() if v != type(self).model_fields[k].default}
        if set(data) <= {"method", "starts"}:
            return self.called
        return data

    @property
    def called(self) -> str:
        """Its method, with the number of its starts if there are several."""
        return self.method + (f"{TIMES}{self.starts}" if self.starts > 1 else "")

    @property
    def kind(self) -> type[Method[Any]]:
        """The class of the method."""
        return find_method(self.method)[0]

    @property
    def config(self) -> MethodConfig:
        """The options of the method, those of its variant among them."""
        found, variant = find_method(self.method)
        return found.Config.parse(self.method, {**variant, **self.options})

    def network_over(self, network: NetworkConfig) -> NetworkConfig:
        """The network of the whole run with this member's own settings over it.

        Raises:
            InputError: a setting is unknown or wrong.
        """
        given = {**network.model_dump(), **self.network}
        try:
            return NetworkConfig.parse(given, self.kind.backbone)
        except ValidationError as error:
            told = first_message(error, NetworkConfig)
            raise InputError(f"method {self.method}: network.{told}") from None

    def build(
        self, network: NetworkConfig, inputs: InputSpec, rates: BaseRates, dim: int
    ) -> Method[Any]:
        """The method with fresh weights; `dim` where its network does not say another."""
        own = self.network_over(network)
        return self.kind(self.config, own, inputs, rates, own.embedding_dim or dim)
