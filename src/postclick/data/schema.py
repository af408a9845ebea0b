"""What the columns of a log mean: `LogSchema`, as YAML and as Python."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from postclick.errors import InputError

Pooling = Literal["mean", "sum", "attention"]


def without_no_target(data: dict[str, Any]) -> dict[str, Any]:
    """A list's entry in files: those without a target are written as they always were."""
    return {key: value for key, value in data.items() if key != "target" or value is not None}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Feature(_Strict):
    name: str = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Categorical(_Feature):
    """One id per impression. `min_count`: rarer values share id 0 with unseen and missing."""

    min_count: int | None = Field(default=None, ge=1)


class Numeric(_Feature):
    """One number per impression.

    `standardize` subtracts the training mean and divides by the training standard deviation;
    `log1p` does the same after sign(x) ln(1 + |x|); `quantile` turns the number into one of
    `bins` ids with equal training frequency.
    """

    transform: Literal["standardize", "log1p", "quantile"] = "standardize"
    bins: int = Field(default=32, ge=2, le=10_000)


class MultiCategorical(_Feature):
    """Any number of ids per impression (a history), pooled into one embedding.

    The column is a list, or text split at `separator`. `weights` names a column of the same
    shape whose numbers multiply the embeddings. At most `max_length` leading ids are kept.
    `attention` weighs each id by how it fits the value of the categorical feature `target`.
    """

    separator: str | None = Field(default=None, min_length=1)
    weights: str | None = None
    min_count: int | None = Field(default=None, ge=1)
    pooling: Pooling = "mean"
    target: str | None = None
    max_length: int | None = Field(default=None, ge=1)

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

    @model_serializer(mode="wrap")
    def _without_no_target(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_no_target(serialize(self))


class Truth(_Strict):
    """Columns that only simulated or randomised data have. No method ever sees them.

    `ctr` and `cvr` are probabilities, `conversion` is the potential conversion: 0 or 1, what
    would happen, or would have happened, had the impression been clicked.
    """

    ctr: str | None = None
    cvr: str | None = None
    conversion: str | None = None

    def columns(self) -> list[str]:
        return [name for name in (self.ctr, self.cvr, self.conversion) if name is not None]


class LogSchema(_Strict):
    """The meaning of a log's columns.

    Rows with the same value of the `group` column, such as a user or a request, belong together:
    metrics within groups use it, and it is a feature only if it is listed as one too.

    Raises `postclick.errors.InputError` from `parse` and `load` with one line per mistake.

    >>> schema = LogSchema.parse({
    ...     "click": "click", "conversion": "purchase",
    ...     "categorical": ["user", {"name": "shop", "min_count": 5}], "numeric": ["price"]})
    >>> schema.feature_names
    ('user', 'shop', 'price')
    """

    click: str
    conversion: str
    categorical: tuple[Categorical, ...] = ()
    numeric: tuple[Numeric, ...] = ()
    multi: tuple[MultiCategorical, ...] = ()
    ignore: tuple[str, ...] = ()
    truth: Truth = Truth()
    key: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = Field(default=None, min_length=1)
    min_count: int = Field(default=1, ge=1)
    embedding_dim: int = Field(default=16, ge=1)

    @field_validator("ignore", "key", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order in which prepared data stores them."""
        return tuple(f.name for f in (*self.categorical, *self.numeric, *self.multi))

    @property
    def weight_columns(self) -> tuple[str, ...]:
        return tuple(f.weights for f in self.multi if f.weights is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read from a log, without repetition."""
        names = [self.click, self.conversion, *self.feature_names, *self.weight_columns]
        names += [*self.truth.columns(), *self.key]
        names += [name for name in (self.time, self.group) if name]
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _roles_do_not_clash(self) -> Self:
        if not self.feature_names:
            raise ValueError("no features: list columns under categorical, numeric or multi")
        repeated = [n for n, k in Counter(self.feature_names).items() if k > 1]
        if repeated:
            raise ValueError(f"feature {repeated[0]!r} is listed twice: keep one of the entries")
        outcomes = {self.click, self.conversion, *self.truth.columns()}
        if self.click == self.conversion:
            raise ValueError(f"click and conversion are the same column {self.click!r}")
        for name in (*self.feature_names, *self.weight_columns):
            if name in outcomes:
                raise ValueError(
                    f"{name!r} is an outcome and a feature: take it out of the features, "
                    "a model that sees its own label is worthless"
                )
            if name in self.ignore:
                raise ValueError(f"{name!r} is a feature and under ignore: keep one of the two")
        if self.group in outcomes:
            raise ValueError(
                f"{self.group!r} is an outcome and the group: name the column of a user or a "
                "request, or take group out"
            )
        ids = [feature.name for feature in self.categorical]
        for bag in self.multi:
            if bag.target is not None and bag.target not in ids:
                raise ValueError(
                    f"{bag.name!r} has the target {bag.target!r}, which is no categorical feature; "
                    f"there are {', '.join(ids) or 'none'}"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_unused_roles(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A schema without a group reads as it did before there were groups."""
        data: dict[str, Any] = dump(self)
        if self.group is None:
            data.pop("group", None)
        return data

    @classmethod
    def parse(cls, data: Any, where: str = "schema") -> Self:
        """Check a mapping and build the schema; `where` names it in error messages."""
        if not isinstance(data, dict):
            raise InputError(
                f"{where}: expected a mapping with click, conversion and features, "
                f"found {type(data).__name__}"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(f"{where}: {first_message(error)}") from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a schema from a YAML file."""
        path = Path(path)
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"schema {path} does not exist: write one, or draft it with "
                "'postclick check --propose LOG'"
            ) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"schema {path} cannot be read as YAML: {error}") from None
        return cls.parse(data, where=f"schema {path}")

    def to_yaml(self) -> str:
        """The schema as YAML with defaults left out; `parse` of it gives the same schema."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        for kind in ("categorical", "numeric", "multi"):
            if kind in data:
                data[kind] = [f["name"] if list(f) == ["name"] else f for f in data[kind]]
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def first_message(error: ValidationError) -> str:
    """The first problem of a pydantic error as 'place: problem', with a count of the rest."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        text = "is not a known setting: remove or correct it"
    elif first["type"] not in ("missing", "value_error") and not isinstance(first["input"], dict):
        text += f", found {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}" if place else f"{text}{more}"
