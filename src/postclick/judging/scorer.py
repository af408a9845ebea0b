"""`Scorer`: what gives raw rows probabilities, a bundle or a run alike, for who judges them."""

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar, runtime_checkable

import polars as pl

from postclick.data.read.heeded import decimal_of, require_heeded
from postclick.data.read.opening import LogLike, LogSource, open_log
from postclick.data.read.tables.in_memory import FrameLike
from postclick.data.schema import LogSchema
from postclick.data.schema.read_options import read_settings


@runtime_checkable
class Scorer(Protocol):
    """A model that scores raw rows, chunk by chunk."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def log_schema(self) -> LogSchema:
        """The schema of the log that it was trained on."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """The raw columns that it needs."""
        ...

    def score(self, frame: FrameLike) -> pl.DataFrame:
        """Float32 `pctr`, `pcvr` and `pctcvr` of each row, in order.

        Raises:
            InputError: a column is missing, or holds what cannot be read.
        """
        ...

    def reading(self, decimal: str | None) -> Self:
        """This scorer for text whose decimals are separated so; itself where it reads it already.

        Args:
            decimal: "." or ",", None where the text does not say.
        """
        ...


@runtime_checkable
class ExposureScorer(Scorer, Protocol):
    """A scorer of which it can be asked where pCTR is predicted, as a run and a bundle are."""

    def predicting_at(self, exposure_at: str | int) -> Self:
        """This scorer with pCTR at a value of the exposure that it was trained with.

        Args:
            exposure_at: the value, or "average" for the mean over the training impressions.

        Raises:
            InputError: there is no such exposure or value, or another was settled before.
        """
        ...


AnyScorer = TypeVar("AnyScorer", bound=Scorer)


def open_as_trained(schema: LogSchema, log: LogLike, read: Sequence[str] = ()) -> LogSource:
    """A log whose text files are read as the schema says, but for the options in `read`.

    Raises:
        InputError: there is no such log, or an option is none, or nothing is read by it.
    """
    settings = read_settings(read, schema.read)
    source = open_log(log, read=schema.model_copy(update={"read": settings}).reading)
    require_heeded(read, source)
    return source


def with_log(
    scorer: AnyScorer, log: LogLike, read: Sequence[str] = ()
) -> tuple[AnyScorer, LogSource]:
    """A log opened as the schema of `scorer` says, and the scorer for how it is written.

    Args:
        log: anything that `open_log` takes.
        read: how text files are written, `KEY=VALUE` each, in place of what the schema says.

    Raises:
        InputError: there is no such log, or an option is none.
    """
    source = open_as_trained(scorer.log_schema, log, read)
    return scorer.reading(decimal_of(read, source)), source
