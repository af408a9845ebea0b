"""A small MovieLens-100K in the exact formats of RecBole and of GroupLens."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.read.opening import LogSource
from postclick.data.splits import LogSplits

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
# Title, RecBole's year, GroupLens's date, genres.
MOVIES = (
    ("Toy Story", "1995", "01-Jan-1995", ["Animation", "Children's", "Comedy"]),
    ("Misérables, Les", "1995", "01-Jan-1995", ["Drama", "Musical"]),
    ("unknown", "unkonwn", "", ["unknown"]),
    ("M", "1931", "01-Jan-1931", ["Crime", "Film-Noir", "Thriller"]),
)
PEOPLE = (
    ("17", "M", "student"),
    ("18", "F", "other"),
    ("53", "F", "writer"),
    ("55", "M", "retired"),
)
WHEEL_FOLDER = "recbole/dataset_example/ml-100k"


@dataclass(frozen=True)
class Toy:
    """Ratings with a low-rank pattern; users have the ids 1, 3, 5, ..., items 1, 2, 3, ..."""

    triples: list[tuple[int, int, int]]
    users: int = 60
    items: int = 50

    def user_ids(self) -> list[int]:
        return [2 * k + 1 for k in range(self.users)]


def toy(share: float = 0.4) -> Toy:
    rng = np.random.default_rng(7)
    users, items = Toy.users, Toy.items
    taste, kind = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    mean = 3.2 + 0.4 * rng.normal(size=(users, 1)) + 0.4 * rng.normal(size=items)
    rating = np.rint(mean + taste @ kind.T + 0.2 * rng.normal(size=mean.shape)).clip(1, 5)
    known = rng.random((users, items)) < share
    known[0, :] = known[:, 0] = True
    user, item = np.nonzero(known)
    order = rng.permutation(user.size)
    pairs = ((int(user[k]), int(item[k])) for k in order)
    return Toy([(2 * u + 1, i + 1, int(rating[u, i])) for u, i in pairs])


def write_recbole(folder: Path, data: Toy) -> Path:
    """ml-100k.inter, .user and .item: tab separated, UTF-8, with a header of name:type."""
    folder.mkdir(parents=True, exist_ok=True)
    inter = ["user_id:token\titem_id:token\trating:float\ttimestamp:float"]
    inter += [f"{u}\t{i}\t{r}\t{881250949 + u}" for u, i, r in data.triples]
    user = ["user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token"]
    for k, number in enumerate(data.user_ids()):
        user.append("\t".join((str(number), *PEOPLE[k % len(PEOPLE)], "85711")))
    item = ["item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"]
    for k in range(data.items):
        title, year, _, genres = MOVIES[k % len(MOVIES)]
        item.append(f"{k + 1}\t{title}\t{year}\t{' '.join(genres)}")
    for kind, lines in (("inter", inter), ("user", user), ("item", item)):
        (folder / f"ml-100k.{kind}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_grouplens(folder: Path, data: Toy) -> Path:
    """u.data (tabs), u.user and u.item (bars): Latin-1, no header, genres as 19 flags."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings = [f"{u}\t{i}\t{r}\t{881250949 + u}" for u, i, r in data.triples]
    users = [
        "|".join((str(number), *PEOPLE[k % len(PEOPLE)], "85711"))
        for k, number in enumerate(data.user_ids())
    ]
    items = []
    for k in range(data.items):
        title, _, date, genres = MOVIES[k % len(MOVIES)]
        flags = ["1" if genre in genres else "0" for genre in GENRES]
        items.append("|".join((str(k + 1), title, date, "", "http://us.imdb.com/", *flags)))
    for kind, lines in (("data", ratings), ("user", users), ("item", items)):
        (folder / f"u.{kind}").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return folder


def zipped(folder: Path, file: Path, inside: str) -> Path:
    """The files of `folder` as a zip or wheel, under the folder `inside`."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{inside}/{path.name}")
    return file


def whole(log: LogSource | None) -> pl.DataFrame:
    assert log is not None
    return pl.concat(log.frames(log.columns))


def both(splits: LogSplits) -> pl.DataFrame:
    return pl.concat([whole(splits.train), whole(splits.test)]).sort("user", "item")
