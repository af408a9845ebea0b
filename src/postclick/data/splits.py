"""`LogSplits`: the raw logs of a training, a validation and a test split, and their schema."""

from dataclasses import dataclass

from postclick.data.read.log_source import LogSource
from postclick.data.schema import LogSchema


@dataclass(frozen=True)
class LogSplits:
    """A log split for training and judging; a missing split is drawn from `train`.

    Attributes:
        schema: what the columns mean.
        train, valid, test: the raw logs.
        notes: one line each on what a reader of the results should know.
    """

    schema: LogSchema
    train: LogSource
    test: LogSource | None = None
    valid: LogSource | None = None
    notes: tuple[str, ...] = ()

    def sources(self) -> dict[str, LogSource]:
        """The logs that there are by their split, train first."""
        given = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: source for split, source in given.items() if source is not None}
