"""Writes files in both layouts of AliExpress from a random generator."""

import gzip
from pathlib import Path

import numpy as np

Row = list[str]

# Raw columns, from 1, that hold ids.
USER_IDS = {*range(2, 9), 32, 33}
ITEM_IDS = {19, 34, 35, 36, 40, 41, 42}


def random_raw(seed: int, pages: int = 30) -> tuple[list[Row], list[Row]]:
    """User and item rows; a few pages have no products, a few products no page."""
    rng = np.random.default_rng(seed)
    searches = rng.permutation(pages * 3)[:pages]
    users = [_row(rng, search, 33, USER_IDS) for search in searches]
    items = []
    for search in [*rng.permutation(searches)[2:], pages * 3 + 1]:
        for _ in range(int(rng.integers(1, 8))):
            label = str(rng.choice([0, 1, 2], p=[0.7, 0.2, 0.1]))
            items.append([*_row(rng, search, 48, ITEM_IDS), label])
    return users, items


def _row(rng: np.random.Generator, search: int, width: int, ids: set[int]) -> Row:
    cells = [
        str(rng.integers(0, 200)) if column in ids else str(round(float(rng.random()), 6))
        for column in range(2, width + 1)
    ]
    return [str(search), *cells]


def write_raw(
    folder: Path,
    country: str,
    split: str,
    users: list[Row],
    items: list[Row],
    suffix: str = "",
) -> None:
    """Write `{country}_user_{split}` and `{country}_item_{split}`, with `suffix` after the name."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in (("user", users), ("item", items)):
        data = "".join(",".join(row) + "\n" for row in rows).encode()
        path = folder / f"{country}_{table}_{split}{suffix}"
        path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)


def slow_join(users: list[Row], items: list[Row]) -> list[list[float]]:
    """The 82 columns of each product whose page is known, by plain lookups."""
    pages = {row[0]: row for row in users}
    joined = []
    for item in items:
        if item[0] not in pages:
            continue
        user = pages[item[0]]
        cells = [item[0]]
        cells += [user[c - 1] for c in (2, 3, 4, 5, 6, 7, 8, 32, 33)]
        cells += [item[c - 1] for c in (19, 34, 35, 36, 40, 41, 42)]
        cells += user[8:31]
        cells += item[1:18] + item[19:33] + item[36:39] + item[42:48]
        label = item[48]
        cells += [str(int(label in "12")), str(int(label == "2"))]
        joined.append([float(cell) for cell in cells])
    return joined


def header() -> list[str]:
    return [
        "search_id",
        *(f"categorical_{i}" for i in range(1, 17)),
        *(f"numerical_{i}" for i in range(1, 64)),
        "click",
        "conversion",
    ]


def write_preprocessed(folder: Path, split: str, rows: list[list[float]]) -> None:
    """Write `{split}.csv` with header: ids and labels without, numbers with a decimal point."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(header())]
    for row in rows:
        ids, numbers, labels = row[:17], row[17:80], row[80:]
        cells = [*(str(int(i)) for i in ids), *map(str, numbers), *(str(int(i)) for i in labels)]
        lines.append(",".join(cells))
    (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
