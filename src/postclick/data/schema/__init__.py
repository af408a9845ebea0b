"""What the columns of a log mean, as YAML and as Python."""

from postclick.data.schema.exposure import AVERAGE, Exposure
from postclick.data.schema.features import (
    Categorical,
    Hashed,
    MultiCategorical,
    Numeric,
    Pooling,
    Vector,
)
from postclick.data.schema.label import Label
from postclick.data.schema.log_schema import LogSchema, Truth
from postclick.data.schema.messages import first_message
from postclick.data.schema.reading import ReadSettings

__all__ = [
    "AVERAGE",
    "Categorical",
    "Exposure",
    "Hashed",
    "Label",
    "LogSchema",
    "MultiCategorical",
    "Numeric",
    "Pooling",
    "ReadSettings",
    "Truth",
    "Vector",
    "first_message",
]
