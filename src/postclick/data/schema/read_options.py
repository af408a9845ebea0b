"""Settings of how text files are read, as a command line gives them."""

from collections.abc import Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from postclick.data.schema.log_schema import LogSchema
from postclick.data.schema.messages import first_message
from postclick.data.schema.reading import ReadSettings
from postclick.errors import InputError

KEYS = (*ReadSettings.model_fields, "missing")


def with_read(schema: LogSchema, options: Sequence[str]) -> LogSchema:
    """The schema with what `--read KEY=VALUE` says in place of its own settings.

    Raises:
        InputError: an option is none of separator, decimal, header, encoding and missing.

    >>> schema = LogSchema.parse({"click": "c", "conversion": "v", "numeric": ["price"]})
    >>> with_read(schema, ["separator=;", "header=c,v,price"]).read.header
    ('c', 'v', 'price')
    """
    given = _parsed(options)
    data = schema.model_dump(exclude_unset=True)
    if "missing" in given:
        data["missing"] = given.pop("missing")
    data["read"] = {**schema.read.model_dump(exclude_unset=True), **given}
    return LogSchema.parse(data, where="--read") if options else schema


def read_settings(options: Sequence[str], base: ReadSettings | None = None) -> ReadSettings:
    """The settings of `base` with what `--read KEY=VALUE` says, where there is no schema to change.

    Raises:
        InputError: an option is not one of the settings, or is `missing`.

    >>> read_settings(["separator=tab", "encoding=latin-1"]).separator
    '\\t'
    """
    given = _parsed(options)
    if "missing" in given:
        raise InputError(
            "--read missing: what stands for a missing value is said in the schema, for all that "
            "is trained and scored with it: write missing: [...] there"
        )
    told = (base or ReadSettings()).model_dump(exclude_unset=True)
    try:
        return ReadSettings.model_validate({**told, **given})
    except ValidationError as error:
        raise InputError(f"--read: {first_message(error)}") from None


def _parsed(options: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for text in options:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or key not in KEYS:
            raise InputError(
                f"--read {text!r}: expected KEY=VALUE, where KEY is {', '.join(KEYS[:-1])} "
                f"or {KEYS[-1]}"
            )
        given[key] = _value(key, value)
    return given


def _value(key: str, text: str) -> Any:
    """Text as it stands, so that a separator needs no YAML quotes; lists at commas."""
    if key == "header" and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    if key not in ("header", "missing"):
        return text if key == "separator" else text.strip()
    if text.lstrip().startswith("["):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"--read {key}: the list is not YAML: {error}") from None
    return text.split(",")
