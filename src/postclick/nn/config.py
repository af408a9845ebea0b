"""`NetworkConfig`: the architecture, the same words for every method."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Width = Annotated[int, Field(ge=1)]
Backbone = Literal["auto", "share_bottom", "mmoe"]


class NetworkConfig(BaseModel):
    """Sizes and shapes of a network.

    `backbone="auto"` is the one of the method's paper. `share_bottom` with an empty `bottom` is
    a shared embedding with independent towers. `embedding_dim=None` takes the log schema's.
    `numeric="concat"` feeds numbers to the network as they are, `"project"` maps all of them
    to one further field of `embedding_dim`, as in the EVI authors' code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    backbone: Backbone = "auto"
    embedding_dim: int | None = Field(default=None, ge=1)
    embedding_std: float = Field(default=0.01, gt=0)
    numeric: Literal["concat", "project"] = "concat"
    bottom: tuple[Width, ...] = ()
    tower: tuple[Width, ...] = (128, 64, 32)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_norm: bool = False
    experts: int = Field(default=8, ge=1)
    expert_width: int = Field(default=256, ge=1)
    expert_dropout: float = Field(default=0.3, ge=0, lt=1)
