"""The kinds of features: one id, one number, many ids, a vector, a hashed id."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from postclick.data.schema.strict import Feature

Pooling = Literal["mean", "sum", "attention"]


class Categorical(Feature):
    """One id per impression.

    `min_count`: rarer values share id 0 with unseen and missing. `verbatim`: text is taken letter
    by letter, so that the versions "10.1" and "10.10" are two values; otherwise text that is a
    number, a date or true/false is the value that it writes, as in a column of that type.
    """

    _silent: ClassVar[tuple[str, ...]] = ("verbatim",)

    min_count: int | None = Field(default=None, ge=1)
    verbatim: bool = False


class Hashed(Feature):
    """One id per impression, the hash of its value among `buckets`, without a vocabulary.

    For values that never stop growing: an unseen one shares a bucket with others, and tables do
    not grow. Missing is id 0.
    """

    _silent: ClassVar[tuple[str, ...]] = ("verbatim",)

    buckets: int = Field(default=1_000_000, ge=2, le=2**31 - 2)
    verbatim: bool = False


class Numeric(Feature):
    """One number per impression.

    `standardize` subtracts the training mean and divides by the training standard deviation;
    `log1p` does the same after sign(x) ln(1 + |x|); `quantile` turns the number into one of
    `bins` ids with equal training frequency.
    """

    transform: Literal["standardize", "log1p", "quantile"] = "standardize"
    bins: int = Field(default=32, ge=2, le=10_000)


class MultiCategorical(Feature):
    """Any number of ids per impression (a history), pooled into one embedding.

    The column is a list, or text split at `separator`; `brackets` says that the text is written
    as a list, such as [7, 20] or ["a", "b"]. `weights` names a column of the same shape whose
    numbers multiply the embeddings. At most `max_length` leading ids are kept. `attention` weighs
    each id by how it fits the value of the categorical feature `target`.
    """

    _silent: ClassVar[tuple[str, ...]] = ("target", "brackets", "verbatim")

    separator: str | None = Field(default=None, min_length=1)
    weights: str | None = None
    min_count: int | None = Field(default=None, ge=1)
    pooling: Pooling = "mean"
    target: str | None = None
    max_length: int | None = Field(default=None, ge=1)
    brackets: bool = False
    verbatim: bool = False

    @model_validator(mode="after")
    def _attention_has_a_target(self) -> Self:
        if (self.pooling == "attention") != (self.target is not None):
            raise ValueError(
                f"{self.name!r} is pooled by attention to nothing: give it target, a categorical "
                "feature, or another pooling"
                if self.target is None
                else f"{self.name!r} has a target and pooling: {self.pooling}: set pooling: "
                "attention, or take the target out"
            )
        return self


class Vector(Feature):
    """A list of `size` numbers per impression, such as a pretrained embedding.

    The column is a list, or text split at `separator` (or written with `brackets`, as in
    `MultiCategorical`). `standardize` subtracts each element's training mean and divides by its
    training standard deviation; `project` lets the network learn a linear map to so many numbers.
    A missing vector is 0 after standardising.
    """

    size: int = Field(ge=1, le=65_536)
    standardize: bool = True
    project: int | None = Field(default=None, ge=1)
    separator: str | None = Field(default=None, min_length=1)
    brackets: bool = False
