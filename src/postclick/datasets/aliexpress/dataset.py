"""AliExpress, search logs of five countries (Tianchi 74690), raw or as papers preprocess it."""

from pathlib import Path
from typing import Literal

from postclick.data.read.opening import CsvSource, LogSource
from postclick.data.schema import Categorical, Label, LogSchema, Numeric
from postclick.data.splits import LogSplits
from postclick.datasets.aliexpress.columns import (
    CATEGORICAL,
    CLICK,
    COLUMNS,
    CONVERSION,
    NUMERICAL,
    SEARCH_ID,
)
from postclick.datasets.aliexpress.files import Files, Found, find
from postclick.datasets.aliexpress.raw import RawAliExpress
from postclick.datasets.base import DataSet, Options
from postclick.errors import InputError


class AliExpressOptions(Options):
    """How to read AliExpress.

    Attributes:
        layout: `preprocessed` is a folder with `train.csv` and `test.csv` of 82 named columns,
            `raw` the published pairs of user and item files.
        country: which one to take if the folder holds several.
    """

    layout: Literal["auto", "preprocessed", "raw"] = "auto"
    country: Literal["NL", "ES", "FR", "US", "RU"] | None = None


def schema() -> LogSchema:
    """What the 82 columns mean.

    >>> len(schema().categorical), len(schema().numeric)
    (16, 63)
    """
    return LogSchema(
        click=Label(column=CLICK),
        conversion=Label(column=CONVERSION),
        categorical=tuple(Categorical(name=name) for name in CATEGORICAL),
        numeric=tuple(Numeric(name=name) for name in NUMERICAL),
        # Local to its split: the same number in train and test is not the same search.
        ignore=(SEARCH_ID,),
    )


def _read(path: Path, options: AliExpressOptions) -> LogSplits:
    layout = None if options.layout == "auto" else options.layout
    found = find(path, layout, options.country, ALIEXPRESS.expects)
    test = _source(found, found.test) if found.test is not None else None
    notes = [f"{found.country or 'unnamed country'}, {found.layout} layout"]
    if test is None:
        notes.append("no test file in the folder: the test rows are drawn from the training rows")
    return LogSplits(
        schema=schema(), train=_source(found, found.train), test=test, notes=tuple(notes)
    )


def _source(found: Found, files: Files) -> LogSource:
    if found.layout == "raw":
        return RawAliExpress(*files)
    source = CsvSource(files[0])
    missing = [c for c in COLUMNS if c not in source.columns]
    extra = [c for c in source.columns if c not in COLUMNS]
    if missing or extra:
        odd = f"lacks {missing[0]!r}" if missing else f"has {extra[0]!r} besides"
        raise InputError(
            f"{files[0]} does not have the 82 columns search_id, categorical_1..16, "
            f"numerical_1..63, click, conversion: it {odd} (it has {len(source.columns)}): "
            "give the preprocessed file with its header, or the raw files"
        )
    return source


ALIEXPRESS = DataSet(
    name="aliexpress",
    summary="AliExpress: search results of NL, ES, FR, US or RU with clicks and purchases",
    expects=(
        "a folder AliExpress_XX with train.csv and test.csv of 82 columns, or one with the raw "
        "files {cc}_user_train, {cc}_item_train, {cc}_user_test, {cc}_item_test, unpacked from "
        "Tianchi's data set 74690 (https://tianchi.aliyun.com/dataset/74690)"
    ),
    options=AliExpressOptions,
    read=_read,
)
