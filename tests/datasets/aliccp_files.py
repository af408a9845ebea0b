"""Writes files in the raw format of Ali-CCP, byte by byte, from a random generator."""

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from postclick.data.read.opening import LogSource

Token = tuple[str, int, str]

USER = ("101", "121", "122", "124", "125", "126", "127", "128", "129")
HISTORIES = ("109_14", "110_14", "127_14", "150_14")
KEY = "84dceed2e3a667f8"


@dataclass
class Impression:
    sample_id: int
    click: int
    purchase: int
    key: str
    tokens: list[Token] = field(default_factory=list)


@dataclass
class User:
    key: str
    tokens: list[Token] = field(default_factory=list)


def frame_of(source: LogSource | None, columns: list[str] | None = None) -> pl.DataFrame:
    """All rows of a source in one frame."""
    assert source is not None
    return pl.concat(source.frames(columns or source.columns))


def feature_list(tokens: list[Token]) -> str:
    return "\x01".join(f"{name}\x02{feature}\x03{value}" for name, feature, value in tokens)


def skeleton_line(row: Impression) -> str:
    head = f"{row.sample_id},{row.click},{row.purchase},{row.key},{len(row.tokens)}"
    return f"{head},{feature_list(row.tokens)}\n"


def common_line(user: User) -> str:
    return f"{user.key},{len(user.tokens)},{feature_list(user.tokens)}\n"


def write(
    folder: Path, split: str, impressions: list[Impression], users: list[User], gz: bool = False
) -> None:
    """Write `sample_skeleton_{split}.csv` and `common_features_{split}.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"sample_skeleton_{split}.csv": "".join(map(skeleton_line, impressions)),
        f"common_features_{split}.csv": "".join(map(common_line, users)),
    }
    for name, text in texts.items():
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_bytes(text.encode())


def random_log(
    seed: int, users: int = 12, per_user: int = 9
) -> tuple[list[Impression], list[User]]:
    """Impressions grouped by user, users in another order than in the common rows.

    Fields are missing, repeated and shuffled; there are purchases without a click.
    """
    rng = np.random.default_rng(seed)
    people = [_user(rng) for _ in range(users)]
    impressions: list[Impression] = []
    for user in rng.permutation(np.array(people, dtype=object)):
        for _ in range(int(rng.integers(1, 2 * per_user))):
            click = int(rng.random() < 0.3)
            purchase = int(rng.random() < (0.3 if click else 0.05))
            number = len(impressions) + 1
            impressions.append(Impression(number, click, purchase, user.key, _item_tokens(rng)))
    return impressions, people


def _user(rng: np.random.Generator) -> User:
    tokens = [_token(rng, name) for name in USER for _ in range(_times(rng))]
    for name in HISTORIES:
        if rng.random() < 0.85:
            tokens += [_token(rng, name, counted=True) for _ in range(int(rng.integers(1, 20)))]
    tokens = _shuffled(rng, tokens) or [_token(rng, "101")]
    return User("".join(rng.choice(list("0123456789abcdef"), 16)), tokens)


def _item_tokens(rng: np.random.Generator) -> list[Token]:
    tokens = [_token(rng, name) for name in ("205", "206", "207") for _ in range(_times(rng))]
    tokens += [_token(rng, "210") for _ in range(int(rng.integers(0, 5)))]
    tokens += [_token(rng, "216") for _ in range(int(rng.random() < 0.73))]
    for name, share in (("508", 0.6), ("509", 0.26), ("702", 0.26)):
        if rng.random() < share:
            tokens += [_token(rng, name, counted=True) for _ in range(max(_times(rng), 1))]
    if rng.random() < 0.45:
        tokens += [_token(rng, "853", counted=True) for _ in range(int(rng.integers(1, 6)))]
    return [*_shuffled(rng, tokens), _token(rng, "301")]


def _times(rng: np.random.Generator) -> int:
    """Mostly once, at times missing or repeated."""
    return int(rng.choice([0, 1, 2, 3], p=[0.1, 0.75, 0.1, 0.05]))


def _token(rng: np.random.Generator, name: str, counted: bool = False) -> Token:
    # Ids of 1 to 10 digits.
    feature = int(10 ** rng.uniform(0, np.log10(2**31 - 1)))
    value = f"{np.log(1 + rng.integers(1, 90)):.{rng.integers(1, 9)}f}" if counted else "1.0"
    return name, feature, value


def _shuffled(rng: np.random.Generator, tokens: list[Token]) -> list[Token]:
    return [tokens[i] for i in rng.permutation(len(tokens))]
