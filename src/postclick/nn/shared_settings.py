"""`SharedSettings`: what networks on every backbone have."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

AUTO = "auto"
Width = Annotated[int, Field(ge=1)]


class SharedSettings(BaseModel):
    """Settings of embedding and towers; see `postclick.nn.config.NetworkConfig`."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    backbone: str = AUTO
    embedding_dim: int | None = Field(default=None, ge=1)
    embedding_std: float = Field(default=0.01, gt=0)
    numeric: Literal["concat", "project"] = "concat"
    tower: tuple[Width, ...] = (128, 64, 32)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    batch_norm: bool = False
    attention: tuple[Width, ...] = (36,)
