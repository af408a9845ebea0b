"""The files of MovieLens-100K, as GroupLens or RecBole lays them out, in a folder or a zip."""

import importlib.util
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from postclick.datasets.movielens.completion import Floats, Ints
from postclick.errors import InputError

EXPECTS = (
    "the folder ml-100k of GroupLens (u.data, u.user, u.item; grouplens.org/datasets/movielens/) "
    "or of RecBole (ml-100k.inter, .user, .item), a zip or wheel with one of them, or the word "
    "'recbole' where that package is installed (pip install --no-deps recbole==1.2.1)"
)
# Where the files lie: in the folder named, in GroupLens's zip, in the package recbole, in a wheel.
PACKAGED = "dataset_example/ml-100k"
PLACES = (".", "ml-100k", PACKAGED, f"recbole/{PACKAGED}")
GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
USER_FIELDS = ("user_id", "age", "gender", "occupation")
AGE_BANDS = {0: "under 18", 18: "18-24", 25: "25-34", 35: "35-44", 45: "45-54", 55: "55 or older"}
MAX_RATING = 5
# Of an archive; the largest real file has 2 MB.
LARGEST_MEMBER = 64 << 20
READ = ("u.data", "u.user", "u.item", ".inter", ".user", ".item")

Folder = Path | zipfile.Path


@dataclass(frozen=True)
class Published:
    """MovieLens-100K as read: users and items that have a rating, in the order of their ids.

    Attributes:
        user, item: shape (n,), of each rating the row in `users` and in `items`.
        rating: shape (n,), 1 to 5.
        users: columns user, age_band, gender, occupation.
        items: columns item, release_year (null if unknown), genres (a list).
    """

    user: Ints
    item: Ints
    rating: Floats
    users: pl.DataFrame
    items: pl.DataFrame


def installed_recbole() -> Path:
    """The folder of the installed package recbole, looked up without executing it.

    Raises:
        InputError: it is not installed.
    """
    spec = importlib.util.find_spec("recbole")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the package recbole is not installed here: pip install --no-deps recbole==1.2.1, "
            "or name a folder or zip that holds ml-100k"
        )
    return Path(spec.submodule_search_locations[0])


def read_published(source: Path) -> Published:
    """Read ratings, users and items.

    Args:
        source: a folder or a zip file, see `EXPECTS`.

    Raises:
        InputError: a file is missing or damaged, or a line does not hold what it should.
    """
    if source.is_dir():
        return _read(source, source)
    try:
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                if member.filename.endswith(READ) and member.file_size > LARGEST_MEMBER:
                    raise InputError(
                        f"{source}: {member.filename} would unpack to {member.file_size:,} bytes, "
                        f"more than {LARGEST_MEMBER:,}: that is no MovieLens-100K"
                    )
            return _read(zipfile.Path(archive), source)
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{source} cannot be read as a zip: {error}; movielens expects {EXPECTS}"
        ) from None


def _read(root: Folder, source: Path) -> Published:
    for folder in (root.joinpath(place) if place != "." else root for place in PLACES):
        if folder.joinpath("u.data").is_file():
            ratings = _Table(folder, "u.data", "\t", ("user_id", "item_id", "rating", "time"))
            users = _Table(folder, "u.user", "|", (*USER_FIELDS, "zip_code"))
            dates = ("item_id", "title", "release", "video_release", "url")
            items = _Table(folder, "u.item", "|", (*dates, *GENRES))
            flags = [items.numbers(genre, 0, 1) for genre in GENRES]
            genres = [
                [genre for genre, flag in zip(GENRES, row, strict=True) if flag]
                for row in zip(*flags, strict=True)
            ]
            return _joined(ratings, users, items, items.text("release"), genres)
        if folder.joinpath("ml-100k.inter").is_file():
            ratings, users, items = (
                _Table(folder, f"ml-100k.{kind}", "\t") for kind in ("inter", "user", "item")
            )
            genres = [text.split() for text in items.text("class")]
            return _joined(ratings, users, items, items.text("release_year"), genres)
    raise InputError(
        f"{source} holds neither u.data nor ml-100k.inter; movielens expects {EXPECTS}"
    )


def _joined(
    ratings: "_Table",
    users: "_Table",
    items: "_Table",
    release: list[str],
    genres: list[list[str]],
) -> Published:
    age = np.array(users.numbers("age", 0, 150))
    bands = np.array(list(AGE_BANDS.values()))
    band = bands[np.searchsorted(list(AGE_BANDS), age, side="right") - 1]
    user_frame = pl.DataFrame(
        {
            "user": pl.Series(users.ids("user_id"), dtype=pl.Int32),
            "age_band": band,
            "gender": users.text("gender"),
            "occupation": users.text("occupation"),
        }
    )
    # RecBole has a year, GroupLens a date that ends in one; a few movies have neither.
    year = [int(text[-4:]) if text[-4:].isdecimal() else None for text in release]
    item_frame = pl.DataFrame(
        {
            "item": pl.Series(items.ids("item_id"), dtype=pl.Int32),
            "release_year": pl.Series(year, dtype=pl.Int16),
            "genres": pl.Series(genres, dtype=pl.List(pl.String)),
        }
    )
    given = [ratings.numbers(name, 1) for name in ("user_id", "item_id")]
    rating = np.array(ratings.numbers("rating", 1, MAX_RATING), dtype=np.float64)
    pairs = dict(zip(zip(*given, strict=True), range(rating.size), strict=True))
    if len(pairs) < rating.size:
        raise InputError(f"{ratings.name}: a user rated an item twice: get the file again")
    rated, places = zip(*(np.unique(ids, return_inverse=True) for ids in given), strict=True)
    return Published(
        user=places[0],
        item=places[1],
        rating=rating,
        users=_rows_of(user_frame, rated[0], users),
        items=_rows_of(item_frame, rated[1], items),
    )


def _rows_of(frame: pl.DataFrame, ids: Ints, table: "_Table") -> pl.DataFrame:
    key = frame.columns[0]
    found = frame.filter(pl.col(key).is_in(ids.tolist())).sort(key)
    if found.height < ids.size:
        lost = sorted(set(ids.tolist()) - set(found[key].to_list()))[0]
        raise InputError(f"{table.name} lacks {key} {lost}, which has ratings: get the file again")
    return found


class _Table:
    """A separated text file in memory: its first line names the columns if `names` does not."""

    def __init__(
        self, folder: Folder, name: str, separator: str, names: Sequence[str] = ()
    ) -> None:
        file = folder.joinpath(name)
        self.name = str(file)
        if not file.is_file():
            raise InputError(f"{self.name} does not exist; movielens expects {EXPECTS}")
        # GroupLens writes Latin-1, RecBole UTF-8 with a header of name:type.
        try:
            text = file.read_text(encoding="latin-1" if names else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{self.name} is not text: {error}: get the file again") from None
        lines = [line.split(separator) for line in text.split("\n") if line]
        self._first = 1 if names else 2
        if not names and lines:
            names = [name.partition(":")[0] for name in lines.pop(0)]
        if not lines:
            raise InputError(f"{self.name} holds no rows: get the file again")
        self._names = list(names)
        self._lines = lines
        for number, line in enumerate(lines, start=self._first):
            if len(line) != len(names):
                raise InputError(
                    f"{self.name}, line {number}: {len(line)} fields, expected {len(names)}: "
                    "get the file again"
                )

    def text(self, name: str) -> list[str]:
        if name not in self._names:
            raise InputError(
                f"{self.name} has no column {name!r}, only {', '.join(self._names)}: "
                "get the file again"
            )
        place = self._names.index(name)
        return [line[place].strip() for line in self._lines]

    def numbers(self, name: str, low: int, high: int = 2**31 - 1) -> list[int]:
        values = []
        for number, text in enumerate(self.text(name), start=self._first):
            if not text.isdecimal() or not low <= int(text) <= high:
                raise InputError(
                    f"{self.name}, line {number}: {name} {text!r} is not a whole number from "
                    f"{low} to {high}: get the file again"
                )
            values.append(int(text))
        return values

    def ids(self, name: str) -> list[int]:
        values = self.numbers(name, 1)
        if len(set(values)) < len(values):
            raise InputError(f"{self.name}: {name} is not unique: get the file again")
        return values
