"""`LogSplits`: the raw logs of a training, a validation and a test split, and their schema."""

from dataclasses import dataclass

from postclick.data.read.log_source import LogSource
from postclick.data.read.opening import LogLike, open_log
from postclick.data.schema import LogSchema


@dataclass(frozen=True, init=False)
class LogSplits:
    """A log split for training and judging; a missing split is drawn from `train`.

    Attributes:
        schema: what the columns mean.
        train, valid, test: the raw logs, opened: what is given may be anything that `open_log`
            takes.
        notes: one line each on what a reader of the results should know.

    >>> import polars as pl
    >>> schema = LogSchema.parse({"click": "c", "conversion": "v", "categorical": ["shop"]})
    >>> splits = LogSplits(schema, pl.DataFrame({"c": [1], "v": [0], "shop": ["a"]}))
    >>> splits.train.columns, list(splits.sources())
    (('c', 'v', 'shop'), ['train'])
    """

    schema: LogSchema
    train: LogSource
    test: LogSource | None = None
    valid: LogSource | None = None
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        schema: LogSchema,
        train: LogLike,
        test: LogLike | None = None,
        valid: LogLike | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Raises `InputError` where a log cannot be opened."""
        given = {"train": train, "test": test, "valid": valid}
        opened = {
            name: None if log is None else open_log(log, read=schema.reading)
            for name, log in given.items()
        }
        for name, value in {"schema": schema, **opened, "notes": notes}.items():
            object.__setattr__(self, name, value)

    def sources(self) -> dict[str, LogSource]:
        """The logs that there are by their split, train first."""
        given = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: source for split, source in given.items() if source is not None}
