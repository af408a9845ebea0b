"""What the columns of a log mean: `LogSchema`, as YAML and as Python."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from postclick.data.schema.exposure import Exposure
from postclick.data.schema.features import (
    Categorical,
    Hashed,
    MultiCategorical,
    Numeric,
    Vector,
)
from postclick.data.schema.label import PRESENT, Label
from postclick.data.schema.messages import first_message
from postclick.data.schema.reading import ReadSettings, SchemaReading
from postclick.data.schema.strict import Strict
from postclick.errors import InputError
from postclick.suggest import meant


class Truth(Strict):
    """Columns that only simulated or randomised data have. No method ever sees them.

    `ctr` and `cvr` are probabilities, `conversion` is the potential conversion: 0 or 1, what
    would happen, or would have happened, had the impression been clicked.
    """

    ctr: str | None = None
    cvr: str | None = None
    conversion: str | None = None

    def columns(self) -> list[str]:
        return [name for name in (self.ctr, self.cvr, self.conversion) if name is not None]


class LogSchema(Strict):
    """The meaning of a log's columns.

    Rows with the same value of the `group` column, such as a user or a request, belong together:
    metrics within groups use it, and it is a feature only if it is listed as one too. The numbers
    of the `weight` column say how many impressions a row stands for, in losses and metrics. The
    `exposure`, such as a position, moves clicks and not conversions: click heads alone read it.
    `missing` are the texts (or numbers) that stand for a missing value, by default
    `postclick.data.read.values.value_rules.DEFAULT_MISSING`; empty text always does. `read` says
    how text files are written.

    Raises `postclick.errors.InputError` from `parse` and `load` with one line per mistake.

    >>> schema = LogSchema.parse({
    ...     "click": "click", "conversion": "purchase",
    ...     "categorical": ["user", {"name": "shop", "min_count": 5}], "numeric": ["price"]})
    >>> schema.feature_names
    ('user', 'shop', 'price')
    """

    _silent: ClassVar[tuple[str, ...]] = (
        *("hashed", "vector", "group", "weight", "exposure", "missing", "read"),
    )

    click: Label
    conversion: Label
    categorical: tuple[Categorical, ...] = ()
    numeric: tuple[Numeric, ...] = ()
    multi: tuple[MultiCategorical, ...] = ()
    hashed: tuple[Hashed, ...] = ()
    vector: tuple[Vector, ...] = ()
    ignore: tuple[str, ...] = ()
    truth: Truth = Truth()
    key: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = Field(default=None, min_length=1)
    weight: str | None = Field(default=None, min_length=1)
    exposure: Exposure | None = None
    missing: tuple[str, ...] | None = None
    read: ReadSettings = ReadSettings()
    min_count: int = Field(default=1, ge=1)
    embedding_dim: int = Field(default=16, ge=1)

    @field_validator("ignore", "key", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("click", "conversion", mode="before")
    @classmethod
    def _a_mapping_has_a_rule(cls, value: Any) -> Any:
        without = isinstance(value, dict) and set(value) == {"column"}
        return {**value, "positive": PRESENT} if without else value

    @field_validator("missing", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        """YAML reads -1 as a number, ~ as nothing and "" as text."""
        if value is None:
            return None
        values = value if isinstance(value, list | tuple) else (value,)
        return tuple("" if v is None else str(v) for v in values)

    @model_validator(mode="before")
    @classmethod
    def _missing_is_one_setting(cls, data: Any) -> Any:
        """`read: {missing: ...}` is another way to write `missing`."""
        if not isinstance(data, dict) or not isinstance(data.get("read"), dict):
            return data
        if "missing" not in data["read"]:
            return data
        if data.get("missing") is not None:
            raise ValueError("missing is written twice, alone and under read: keep one of the two")
        read = {key: value for key, value in data["read"].items() if key != "missing"}
        return {**data, "read": read, "missing": data["read"]["missing"]}

    @property
    def reading(self) -> SchemaReading:
        """How text files are read, beside which columns are lists."""
        lists = (*(f.name for f in (*self.multi, *self.vector)), *self.weight_columns)
        return SchemaReading(**{**dict(self.read), "lists": lists})

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order in which prepared data stores them."""
        kinds = (self.categorical, self.numeric, self.multi, self.hashed, self.vector)
        return tuple(feature.name for kind in kinds for feature in kind)

    @property
    def with_vocabulary(self) -> tuple[Categorical, ...]:
        """Columns of one value each that get a vocabulary: categorical features, the exposure."""
        if self.exposure is None:
            return self.categorical
        exposure = Categorical(name=self.exposure.column, verbatim=self.exposure.verbatim)
        return (*self.categorical, exposure)

    @property
    def weight_columns(self) -> tuple[str, ...]:
        return tuple(f.weights for f in self.multi if f.weights is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read from a log, without repetition."""
        names = [
            self.click.column,
            self.conversion.column,
            *self.feature_names,
            *self.weight_columns,
        ]
        names += [*self.truth.columns(), *self.key]
        names += [name for name in (self.time, self.group, self.weight) if name]
        names += [self.exposure.column] if self.exposure is not None else []
        return tuple(dict.fromkeys(names))

    @model_validator(mode="after")
    def _roles_do_not_clash(self) -> Self:
        if not self.feature_names:
            raise ValueError(
                "no features: list columns under categorical, numeric, multi, hashed or vector"
            )
        repeated = [n for n, k in Counter(self.feature_names).items() if k > 1]
        if repeated:
            raise ValueError(f"feature {repeated[0]!r} is listed twice: keep one of the entries")
        click, conversion = self.click.column, self.conversion.column
        outcomes = {click, conversion, *self.truth.columns()}
        if self.click == self.conversion:
            raise ValueError(f"click and conversion are the same column {click!r}")
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
        if self.weight in outcomes:
            raise ValueError(
                f"{self.weight!r} is an outcome and the weight: name the column that says how many "
                "impressions a row stands for, or take weight out"
            )
        if self.weight in self.feature_names:
            raise ValueError(f"{self.weight!r} is a feature and the weight: keep one of the two")
        if self.exposure is not None:
            self._require_exposure(self.exposure.column, outcomes)
        ids = [feature.name for feature in self.categorical]
        for bag in self.multi:
            if bag.target is not None and bag.target not in ids:
                raise ValueError(
                    f"{bag.name!r} has the target {bag.target!r}, which is no categorical feature"
                    f"{meant(bag.target, ids)}; there are {', '.join(ids) or 'none'}"
                )
        return self

    def _require_exposure(self, column: str, outcomes: set[str]) -> None:
        """Raise where the column has a role that does not go with that of an exposure."""
        if column in (*self.feature_names, *self.weight_columns):
            raise ValueError(
                f"{column!r} is a feature and the exposure: take it out of the features, so that "
                "pCVR cannot read it, or take exposure out"
            )
        if column in outcomes:
            raise ValueError(
                f"{column!r} is an outcome and the exposure: name a column that is known when the "
                "impression is shown, such as a position, or take exposure out"
            )
        for role, name in (("weight", self.weight), ("time", self.time)):
            if column == name:
                raise ValueError(f"{column!r} is the {role} and the exposure: keep one of the two")
        if column in self.ignore:
            raise ValueError(f"{column!r} is the exposure and under ignore: keep one of the two")

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
            raise InputError(f"{where}: {first_message(error, cls)}") from None

    @classmethod
    def of(cls, schema: "LogSchema | Mapping[str, Any] | str | Path") -> "LogSchema":
        """A schema, a mapping with its content, or a YAML file, as a schema.

        Raises:
            InputError: the mapping or the file is no schema.
        """
        if isinstance(schema, str | Path):
            return LogSchema.load(schema)
        return schema if isinstance(schema, LogSchema) else LogSchema.parse(schema)

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
        for kind in ("categorical", "numeric", "multi", "hashed", "vector"):
            if kind in data:
                data[kind] = [f["name"] if list(f) == ["name"] else f for f in data[kind]]
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
