"""MineThatData e-mail challenge (Hillstrom 2008): a real funnel of 64,000 customers."""

from pathlib import Path
from typing import Any, Literal, Self

import polars as pl
from pydantic import Field, field_validator, model_validator

from postclick.data.read.opening import CsvSource, FrameSource, LogSource
from postclick.data.schema import Categorical, Label, LogSchema, Numeric
from postclick.data.splits import LogSplits
from postclick.datasets.base import DataSet, Options
from postclick.errors import InputError
from postclick.system.checksums import file_digest

FILE_NAME = "hillstrom.csv"
SHA256 = "0e5893329d8b93cefecc571777672028290ab69865718020c78c7284f291aece"
Arm = Literal["No E-Mail", "Mens E-Mail", "Womens E-Mail"]


class HillstromOptions(Options):
    """Options of the Hillstrom reader.

    Attributes:
        verify: refuse a file whose sha256 is not that of the published one.
        segment_as_feature: give the e-mail that was sent (the arm) to the model. Left unsaid, it
            is given unless the split by arms makes it useless: see `read_hillstrom`.
        train_arms, test_arms: train on the customers of some arms, test on those of others. Only
            `train_arms`: the other arms are left out and the test split is drawn at random.

    >>> HillstromOptions(train_arms=["No E-Mail"], test_arms=["Mens E-Mail"]).test_arms
    ('Mens E-Mail',)
    """

    verify: bool = True
    segment_as_feature: bool = True
    train_arms: tuple[Arm, ...] | None = Field(default=None, min_length=1)
    test_arms: tuple[Arm, ...] | None = Field(default=None, min_length=1)

    @field_validator("train_arms", "test_arms", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def shows_segment(self) -> bool:
        """Whether the arm is a feature: asked for, and not constant or unseen in training."""
        several_arms = self.train_arms is None or len(set(self.train_arms)) > 1
        return self.segment_as_feature and several_arms and self.test_arms is None

    @model_validator(mode="after")
    def _arms_make_a_split(self) -> Self:
        if self.test_arms is not None and self.train_arms is None:
            raise ValueError("test_arms without train_arms: name the arms to train on as well")
        both = sorted(set(self.train_arms or ()) & set(self.test_arms or ()))
        if both:
            raise ValueError(f"arm {both[0]!r} is in train_arms and test_arms: keep it in one")
        asked_for = self.segment_as_feature and "segment_as_feature" in self.model_fields_set
        if asked_for and not self.shows_segment:
            raise ValueError(
                "segment_as_feature has nothing to learn from when training sees one arm or the "
                "test arms are others: set segment_as_feature=false"
            )
        return self


def _schema(segment_as_feature: bool) -> LogSchema:
    categorical = ["history_segment", "mens", "womens", "zip_code", "newbie", "channel"]
    ignored = ["spend"]
    (categorical if segment_as_feature else ignored).append("segment")
    return LogSchema(
        click=Label(column="visit"),
        conversion=Label(column="conversion"),
        categorical=tuple(Categorical(name=name) for name in categorical),
        # Recency counts months, 1 to 12: an order that ids would lose.
        numeric=(Numeric(name="recency"), Numeric(name="history", transform="log1p")),
        ignore=tuple(ignored),
    )


def _check_hash(path: Path) -> None:
    try:
        found = file_digest(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if found != SHA256:
        raise InputError(
            f"{path} is not the published Hillstrom file: expected sha256 {SHA256}, found {found}; "
            "get it again, or set verify=false to read it as it is"
        )


def _arms(log: pl.DataFrame, arms: tuple[Arm, ...], schema: LogSchema, name: str) -> LogSource:
    rows = log.filter(pl.col("segment").is_in(list(arms)))
    if rows.is_empty():
        raise InputError(f"{name}: no row has segment {', '.join(arms)}: check the file")
    return FrameSource(rows.select(schema.columns), name=f"{name} ({', '.join(arms)})")


def read_hillstrom(source: Path, options: HillstromOptions) -> LogSplits:
    """Open the Hillstrom log: impression = customer, click = visit, conversion = purchase.

    64,000 rows, 9,394 visits, 578 conversions, none without a visit. It holds no truth: what
    the others would have bought had they visited is unknown, so only click-space CVR metrics can
    be had. `spend` is an outcome and never a feature. With `test_arms` the segment is no feature:
    the ids of the test arms would be unseen.

    Args:
        source: the CSV file, or the folder that holds `hillstrom.csv`.

    Raises:
        InputError: no such file, another file than the published one, or a column missing.
    """
    path = source / FILE_NAME if source.is_dir() else source
    if not path.is_file():
        raise InputError(f"{source} holds no {FILE_NAME}; hillstrom expects {HILLSTROM.expects}")
    if options.verify:
        _check_hash(path)
    schema = _schema(options.shows_segment)
    log = CsvSource(path)
    log.require([*schema.columns, "segment"])
    notes = [
        "click = visit, conversion = purchase after it; no truth for customers who did not visit",
    ]
    if options.segment_as_feature and not options.shows_segment:
        notes.append("segment is not a feature: the split by arms leaves it nothing to learn")
    if options.train_arms is None:
        return LogSplits(schema=schema, train=log, notes=tuple(notes))

    frame = pl.concat(log.frames(list(dict.fromkeys([*schema.columns, "segment"]))))
    train = _arms(frame, options.train_arms, schema, log.name)
    if options.test_arms is None:
        return LogSplits(schema=schema, train=train, notes=tuple(notes))
    notes.append("train and test are different arms of a randomised trial: a shift by treatment")
    test = _arms(frame, options.test_arms, schema, log.name)
    return LogSplits(schema=schema, train=train, test=test, notes=tuple(notes))


HILLSTROM = DataSet(
    name="hillstrom",
    summary="e-mail campaign of a real shop: 64,000 customers, visit then purchase, three arms",
    expects=(
        f"the file {FILE_NAME} or the folder that holds it: the CSV of the MineThatData E-Mail "
        "Analytics And Data Mining Challenge, from www.minethatdata.com"
    ),
    options=HillstromOptions,
    read=read_hillstrom,
)
