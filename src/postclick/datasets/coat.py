"""Coat shopping (Schnabel et al. 2016): self-selected ratings, and a random test of them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from postclick.data.read.log_source import FrameSource
from postclick.data.schema import Categorical, Label, LogSchema, Truth
from postclick.data.splits import LogSplits
from postclick.datasets.base import DataSet, Options
from postclick.errors import InputError

USERS, ITEMS = 290, 300
MAX_RATING = 5
TRUE_CONVERSION = "potential_conversion"
USER_GROUPS = ("gender", "age", "location", "fashioninterest")
ITEM_GROUPS = ("gender", "jackettype", "color", "onfrontpage")
IntMatrix = npt.NDArray[np.int64]


class CoatOptions(Options):
    """Options of the Coat reader.

    Attributes:
        threshold: a rating of at least this, 1 to 5, is a conversion.

    >>> CoatOptions().threshold
    4
    """

    threshold: int = Field(default=4, ge=1, le=MAX_RATING)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; coat expects {COAT.expects}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from None


def _matrix(path: Path, columns: int, rows: int, high: int) -> IntMatrix:
    """Read whole numbers 0..`high` as a `rows` x `columns` matrix."""
    lines = [line.split() for line in _text(path).splitlines() if line.strip()]
    if len(lines) != rows:
        raise InputError(f"{path} has {len(lines)} lines, expected {rows}: get the file again")
    allowed = {str(value): value for value in range(high + 1)}
    matrix = np.empty((rows, columns), dtype=np.int64)
    for number, line in enumerate(lines, start=1):
        if len(line) != columns:
            raise InputError(
                f"{path}, line {number}: {len(line)} numbers, expected {columns}: "
                "get the file again"
            )
        odd = next((word for word in line if word not in allowed), None)
        if odd is not None:
            raise InputError(
                f"{path}, line {number}: {odd!r} is not a whole number from 0 to {high}: "
                "get the file again"
            )
        matrix[number - 1] = [allowed[word] for word in line]
    return matrix


def _attributes(folder: Path, kind: str, rows: int, groups: tuple[str, ...]) -> pl.DataFrame:
    """Decode the one-hot attributes of users or items into one column of names per group."""
    map_path = folder / f"{kind}_features_map.txt"
    names = [line.strip() for line in _text(map_path).splitlines() if line.strip()]
    parted = [name.partition(":") for name in names]
    found = tuple(dict.fromkeys(group for group, _, _ in parted))
    if found != groups:
        raise InputError(
            f"{map_path} has the groups {', '.join(found)}, expected {', '.join(groups)}: "
            "get the file again"
        )
    path = folder / f"{kind}_features.ascii"
    one_hot = _matrix(path, columns=len(names), rows=rows, high=1)
    columns = {}
    for group in groups:
        places = [i for i, (name, _, _) in enumerate(parted) if name == group]
        values = np.array([parted[i][2] for i in places])
        chosen = one_hot[:, places]
        wrong = np.flatnonzero(chosen.sum(axis=1) != 1)
        if wrong.size:
            raise InputError(
                f"{path}, line {wrong[0] + 1}: {chosen[wrong[0]].sum()} values of {group!r} are "
                "set, expected exactly one: get the file again"
            )
        columns[f"{kind}_{group}"] = values[chosen.argmax(axis=1)]
    return pl.DataFrame(columns)


def _schema() -> LogSchema:
    names = ["user", "item", *(f"user_{g}" for g in USER_GROUPS)]
    names += [f"item_{g}" for g in ITEM_GROUPS]
    return LogSchema(
        click=Label(column="click"),
        conversion=Label(column="conversion"),
        categorical=tuple(Categorical(name=name) for name in names),
        truth=Truth(conversion=TRUE_CONVERSION),
    )


def _label(values: npt.NDArray[np.bool_]) -> pl.Series:
    return pl.Series(values.astype(np.int8))


def read_coat(source: Path, options: CoatOptions) -> LogSplits:
    """Open Coat as a log: impression = a user with a coat, click = rated, conversion = liked.

    Train holds all 87,000 pairs of 290 users and 300 coats. The 6,960 pairs that the users
    chose to rate are its clicks, and those rated `threshold` or more its conversions. Its truth
    column is null everywhere.

    Test holds the 4,274 ratings of randomly drawn coats that are not also in train (4,640 less
    366). Nobody chose these pairs, so **every test row is an unclicked impression whose potential
    conversion is known**: click and conversion are recorded as 0, `potential_conversion` is the
    rating against the threshold. Metrics on recorded labels are therefore undefined there (no
    click, no conversion): only those against truth count. The same pairs stand in train as
    unclicked impressions, which is all that is known of them there: their ratings are not.

    Args:
        source: the folder with `train.ascii`, `test.ascii` and `user_item_features/`.

    Raises:
        InputError: a file is missing, has another shape, or holds an impossible number.

    Source: Schnabel, Swaminathan, Singh, Chandak, Joachims, "Recommendations as Treatments:
    Debiasing Learning and Evaluation", ICML 2016.
    """
    train_rating = _matrix(source / "train.ascii", columns=ITEMS, rows=USERS, high=MAX_RATING)
    test_rating = _matrix(source / "test.ascii", columns=ITEMS, rows=USERS, high=MAX_RATING)
    features = source / "user_item_features"
    users = _attributes(features, "user", USERS, USER_GROUPS)
    items = _attributes(features, "item", ITEMS, ITEM_GROUPS)

    user, item = (index.ravel() for index in np.indices((USERS, ITEMS)))
    rated = (train_rating > 0).ravel()
    liked = (train_rating >= options.threshold).ravel()
    pairs = pl.DataFrame({"user": user.astype(np.int32), "item": item.astype(np.int32)})
    pairs = pl.concat([pairs, users[user], items[item]], how="horizontal")
    train = pairs.with_columns(
        click=_label(rated),
        conversion=_label(liked),
        **{TRUE_CONVERSION: pl.lit(None, dtype=pl.Int8)},
    )

    drawn = (test_rating > 0).ravel()
    unclicked = drawn & ~rated
    if not rated.any() or not unclicked.any():
        raise InputError(f"{source}: train or test holds no rating: get the files again")
    test = pairs.with_columns(
        click=pl.lit(0, dtype=pl.Int8),
        conversion=pl.lit(0, dtype=pl.Int8),
        **{TRUE_CONVERSION: _label((test_rating >= options.threshold).ravel())},
    ).filter(pl.Series(unclicked))

    left_out = int((drawn & rated).sum())
    judged = (
        "every test row is an unclicked impression with known potential conversion "
        f"({left_out} randomly drawn pairs that are clicked in train are left out): "
        "only metrics against truth are defined on it"
    )
    notes = (
        f"click = rated by own choice; conversion = a rating of {options.threshold} or more",
        judged,
        "the test pairs stand in train as unclicked impressions, without their ratings",
    )
    return LogSplits(
        schema=_schema(),
        train=FrameSource(train, name=f"{source} (train)"),
        test=FrameSource(test, name=f"{source} (test)"),
        notes=notes,
    )


COAT = DataSet(
    name="coat",
    summary="290 users x 300 coats: self-selected ratings, judged on a random sample of pairs",
    expects=(
        "the folder with train.ascii, test.ascii and user_item_features/, from "
        "www.cs.cornell.edu/~schnabts/mnar/"
    ),
    options=CoatOptions,
    read=read_coat,
)
