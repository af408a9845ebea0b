"""Which decimal separator the text of several logs has."""

from collections.abc import Iterable

from postclick.data.read.log_source import LogSource
from postclick.data.schema import LogSchema
from postclick.errors import InputError


def decimal_of(logs: Iterable[LogSource]) -> str | None:
    """What separates decimals in all of them; None where no file tells.

    Raises:
        InputError: they differ.
    """
    told: dict[str, str] = {}
    for log in logs:
        if log.decimal is not None:
            told.setdefault(log.decimal, log.name)
    if len(told) > 1:
        raise InputError(
            f"{told[',']} is written with decimal ',' and {told['.']} with '.': write them alike, "
            "or set read: {decimal: ...} in the schema where one is mistaken"
        )
    return next(iter(told), None)


def as_told(schema: LogSchema, logs: Iterable[LogSource]) -> LogSchema:
    """The schema with a decimal comma, where the logs have it and the schema does not say."""
    if schema.read.decimal is not None or decimal_of(logs) != ",":
        return schema
    read = schema.read.model_copy(update={"decimal": ","})
    return schema.model_copy(update={"read": read})
