"""Which columns of a raw log a run needs to judge on it, and what is said where one is missing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from postclick.data.manifest import FILE_NAME
from postclick.data.read.canonical import Canonicalizer
from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import LogLike
from postclick.data.schema import LogSchema
from postclick.errors import InputError
from postclick.spelling import option
from postclick.suggest import meant


def labels_alone(schema: LogSchema, columns: Sequence[str]) -> LogSchema:
    """The schema without features, but for the one that is the group: it says how that is read;
    and without an exposure that is not among `columns`."""
    kinds = ("categorical", "numeric", "multi", "hashed", "vector")
    groups = {k: tuple(f for f in getattr(schema, k) if f.name == schema.group) for k in kinds}
    left_out: dict[str, Any] = {"key": (), "time": None}
    if schema.exposure is not None and schema.exposure.column not in columns:
        left_out["exposure"] = None
    return schema.model_copy(update={**groups, **left_out})


def refuse_prepared(log: LogLike) -> None:
    """Raise `InputError` where the log is a prepared one."""
    if isinstance(log, str | Path) and (Path(log) / FILE_NAME).is_file():
        raise InputError(
            f"{log} is a prepared log: give it as the run's data, or name the raw log here"
        )


def require_labels(schema: LogSchema, source: LogSource, canonical: Canonicalizer) -> None:
    """Raise `InputError` where the log lacks a label, the group or the weight."""
    roles = {schema.click.column: "click", schema.conversion.column: "conversion"}
    roles |= {c: role for c, role in ((schema.group, "group"), (schema.weight, "weight")) if c}
    for name in canonical.missing:
        role = roles.get(name)
        if role is not None:
            mend = "give a log that has it"
            if role in ("click", "conversion"):
                mend += ", or score the rows without judging them ('postclick score')"
            raise InputError(f"{_lacks(source, name, role)}: {mend}")


def require_exposure(schema: LogSchema, source: LogSource) -> None:
    """Raise `InputError` where the schema has an exposure and the log does not."""
    exposure = schema.exposure
    if exposure is not None and exposure.column not in source.columns:
        raise InputError(
            f"{_lacks(source, exposure.column, 'exposure')}: give "
            f"{option('exposure_at', 'average')} to judge pCTR without it, or a log that has it"
        )


def _lacks(source: LogSource, name: str, role: str) -> str:
    columns = source.columns
    have = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    return (
        f"{source.name}: no column {name!r}{meant(name, columns)}, the {role} of the run's "
        f"schema; it has {have}"
    )
