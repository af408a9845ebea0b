"""Settings of text files that are given for logs which may be none."""

from collections.abc import Sequence

from postclick.data.read.log_source import LogSource
from postclick.data.schema.read_options import read_settings
from postclick.errors import InputError
from postclick.spelling import option

# Decimals and missing values are also read in text columns of logs that are no text.
OF_TEXT = ("separator", "header", "encoding")


def require_heeded(options: Sequence[str], *logs: LogSource | None) -> None:
    """Refuse `--read KEY=VALUE` by which none of the logs is read.

    Raises:
        InputError: naming the option and the log.

    >>> import polars as pl
    >>> from postclick.data.read.log_source import FrameSource
    >>> require_heeded(["decimal=,"], FrameSource(pl.DataFrame({"click": [0]})))
    """
    there = [log for log in logs if log is not None]
    heeded = {key for log in there for key in log.heeds}
    for text in options:
        key = text.partition("=")[0].strip()
        if key in OF_TEXT and key not in heeded and there:
            raise InputError(
                f"{option('read')} {text!r}: {there[0].name} is no text with "
                f"{'an' if key == 'encoding' else 'a'} {key} of its own, and is read without: "
                "leave it out"
            )


def decimal_of(options: Sequence[str], log: LogSource) -> str | None:
    """What separates decimals: as the log tells, else as `--read decimal=` says of its text.

    >>> import polars as pl
    >>> from postclick.data.read.log_source import FrameSource
    >>> decimal_of(["decimal=,"], FrameSource(pl.DataFrame({"price": ["1,5"]})))
    ','
    """
    return log.decimal or read_settings(options).decimal
