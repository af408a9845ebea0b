"""Ali-CCP, Alibaba's click and conversion log, in its raw published form (Tianchi 408)."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from postclick.data.schema import Categorical, Label, LogSchema, MultiCategorical, Numeric
from postclick.data.splits import LogSplits
from postclick.datasets.aliccp.fields import PRESETS, SAMPLE_ID
from postclick.datasets.aliccp.raw import RawAliCcp
from postclick.datasets.base import DataSet, Options
from postclick.errors import InputError

MIN_COUNT = 12


class AliCcpOptions(Options):
    """How to read Ali-CCP.

    Attributes:
        preset: `standard` is the preprocessing of AITM that most papers share: 18 ids, the
            crosses 508, 509, 702, 853 by their id. `all` has every field: the crosses by id
            and by number, intentions and histories as lists, the latter with weights.
        drop_unclicked_purchases: leave out rows with a purchase but no click, as AITM does.
        history_length: keep that many leading entries of each history (preset `all`); the
            published log has about 510 per row, so all of them take several hundred GB.
        temp: folder for temporary files; preset `all` needs 3 to 4 GB per split there.
    """

    preset: Literal["standard", "all"] = "standard"
    drop_unclicked_purchases: bool = True
    history_length: int | None = Field(default=None, ge=1)
    temp: Path | None = None


def schema(preset: Literal["standard", "all"], history_length: int | None = None) -> LogSchema:
    """What the columns of a preset mean.

    >>> len(schema("standard").categorical), len(schema("all").multi)
    (18, 6)
    """
    columns = PRESETS[preset]
    weights = {c.field: c.name for c in columns if c.role == "weights"}
    user_lists = {c.field for c in columns if c.role == "ids" and c.side == "common"}
    return LogSchema(
        click=Label(column="click"),
        conversion=Label(column="purchase"),
        categorical=tuple(Categorical(name=c.name) for c in columns if c.role == "id"),
        numeric=tuple(Numeric(name=c.name) for c in columns if c.role == "value"),
        multi=tuple(
            MultiCategorical(
                name=c.name,
                weights=weights.get(c.field),
                max_length=history_length if c.field in user_lists else None,
            )
            for c in columns
            if c.role == "ids"
        ),
        ignore=(SAMPLE_ID,),
        min_count=MIN_COUNT,
    )


def _read(path: Path, options: AliCcpOptions) -> LogSplits:
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; {ALICCP.name} expects {ALICCP.expects}")
    train = _pair(path, "train")
    if train is None:
        raise InputError(
            f"{path} holds neither sample_skeleton_train.csv nor common_features_train.csv; "
            f"{ALICCP.name} expects {ALICCP.expects}"
        )
    test = _pair(path, "test")
    notes = []
    if test is None:
        notes.append("no test files in the folder: the test rows are drawn from the training rows")
    if options.drop_unclicked_purchases:
        notes.append("rows with a purchase but no click are dropped")
    if options.preset == "all" and options.history_length is not None:
        notes.append(f"histories are cut to their first {options.history_length} entries")

    def source(pair: tuple[Path, Path]) -> RawAliCcp:
        return RawAliCcp(
            *pair,
            columns=PRESETS[options.preset],
            drop_unclicked_purchases=options.drop_unclicked_purchases,
            temp=options.temp,
            history_length=options.history_length,
        )

    return LogSplits(
        schema=schema(options.preset, options.history_length),
        train=source(train),
        test=source(test) if test is not None else None,
        notes=tuple(notes),
    )


def _pair(folder: Path, split: str) -> tuple[Path, Path] | None:
    """The two files of a split, plain before compressed; None if both are absent."""
    names = (f"sample_skeleton_{split}.csv", f"common_features_{split}.csv")
    found = [
        next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
        for name in names
    ]
    skeleton, common = found
    if skeleton is not None and common is not None:
        return skeleton, common
    if skeleton is None and common is None:
        return None
    missing = names[0] if skeleton is None else names[1]
    other = names[1] if skeleton is None else names[0]
    raise InputError(
        f"{folder} holds {other} but no {missing} or {missing}.gz: put the two together, "
        "each is useless without the other"
    )


ALICCP = DataSet(
    name="aliccp",
    summary="Ali-CCP: 85 million impressions of Taobao with clicks and purchases, raw form",
    expects=(
        "a folder with sample_skeleton_{train,test}.csv and common_features_{train,test}.csv, "
        "plain or .gz, unpacked from Tianchi's data set 408 "
        "(https://tianchi.aliyun.com/dataset/408)"
    ),
    options=AliCcpOptions,
    read=_read,
)
