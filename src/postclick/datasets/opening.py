"""From what a user names (files, or a data set) to the raw logs that `prepare` takes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from postclick.data.read.heeded import require_heeded
from postclick.data.read.opening import LogLike
from postclick.data.schema import LogSchema
from postclick.data.schema.read_options import with_read
from postclick.data.splits import LogSplits
from postclick.datasets import get_dataset
from postclick.errors import InputError


def open_splits(
    schema: LogSchema | Mapping[str, Any] | str | Path,
    train: LogLike,
    test: LogLike = (),
    valid: LogLike = (),
    read: Sequence[str] = (),
) -> LogSplits:
    """Raw logs of one's own; splits that are not given are drawn from train by `prepare`.

    Args:
        schema: a schema, a mapping with its content, or a YAML file.
        train, test, valid: anything that `open_log` takes: a path, a URL, a frame, or several.
        read: `KEY=VALUE` settings of text files, in place of the schema's.

    Raises:
        InputError: a file is missing or unreadable, or the schema is wrong.

    >>> import polars as pl
    >>> log = pl.DataFrame({"click": [1, 0], "buy": [0, 0], "shop": ["a", "b"]})
    >>> schema = {"click": "click", "conversion": "buy", "categorical": ["shop"]}
    >>> list(open_splits(schema, log).sources())
    ['train']
    """
    parsed = with_read(LogSchema.of(schema), read)
    splits = LogSplits(parsed, train, test=_given(test), valid=_given(valid))
    require_heeded(read, *splits.sources().values())
    return splits


def _given(log: LogLike) -> LogLike | None:
    """A split, or None for no logs of it."""
    return None if isinstance(log, list | tuple) and not log else log


def open_request(
    *,
    dataset: str | None,
    source: Path | None,
    options: Sequence[str],
    schema: Path | None,
    train: Sequence[str | Path],
    test: Sequence[str | Path],
    valid: Sequence[str | Path],
    read: Sequence[str] = (),
) -> LogSplits:
    """What `postclick prepare` was asked for: a data set by name, or files with a schema."""
    if dataset is not None:
        if source is None:
            expects = get_dataset(dataset).expects
            raise InputError(f"--dataset {dataset} needs --source: {expects}")
        if read:
            raise InputError("--read is for a log of one's own: a --dataset knows its files")
        if schema or train or test or valid:
            raise InputError("--dataset brings its own schema and splits: leave the others out")
        return get_dataset(dataset).load(source, parse_options(options))
    if options:
        raise InputError("--set gives options of a --dataset; a log of one's own has a schema")
    if schema is None or not train:
        raise InputError("give --schema and --train, or --dataset and --source")
    return open_splits(schema, train, test, valid, read)


def parse_options(texts: Sequence[str]) -> Mapping[str, Any]:
    """['threshold=3'] -> {'threshold': 3}; values are YAML."""
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text!r}: expected key=value")
        try:
            options[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {text!r}: the value is not YAML: {error}") from None
    return options
