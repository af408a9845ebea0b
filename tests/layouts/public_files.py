"""Small generated files in the published layouts of public logs; no value is from one of them."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator
ROWS = 600


def funnel(rng: Rng) -> tuple[Any, Any]:
    click = (rng.random(ROWS) < 0.4).astype(int)
    return click, click * (rng.random(ROWS) < 0.35)


def hexes(rng: Rng, digits: int, values: int = 40) -> list[str]:
    """Ids of hexadecimal digits, some with digits alone, empty with probability 0.1."""
    pool = [rng.bytes(16).hex()[:digits] for _ in range(values)]
    pool[:3] = [
        "1e5".rjust(digits, "0"),
        "12345678"[:digits].rjust(digits, "0"),
        "7e3".zfill(digits),
    ]
    return [pool[k] for k in rng.integers(0, values, ROWS)]


def gaps(rng: Rng, cells: list[Any], share: float = 0.1, gap: str = "") -> list[str]:
    return [gap if rng.random() < share else str(cell) for cell in cells]


def lines(columns: list[Any], separator: str, header: str | None = None) -> str:
    rows = [separator.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


def criteo_attribution(folder: Path, rng: Rng) -> Path:
    """criteo_attribution_dataset.tsv.gz: tabs, a header, -1 where there was no conversion."""
    click, _ = funnel(rng)
    conversion = (rng.random(ROWS) < 0.2).astype(int)  # also of impressions without a click
    columns = [
        np.sort(rng.integers(0, 2_671_199, ROWS)),
        rng.integers(0, 29_000_000, ROWS),
        rng.choice([10341182, 22589171, 73325], ROWS),
        conversion,
        np.where(conversion, rng.integers(0, 2_671_199, ROWS), -1),
        np.where(conversion, rng.integers(0, 9_000_000, ROWS), -1),
        conversion * click,
        click,
        np.where(click, 0, -1),
        np.where(click, 1, -1),
        [f"{x:.17f}".rstrip("0") for x in rng.random(ROWS) / 1e4],
        [f"{x:.15f}" for x in rng.random(ROWS)],
        np.where(rng.random(ROWS) < 0.5, -1, rng.integers(0, 9_000_000, ROWS)),
        *(rng.choice([5824233, 9312274, 28928366, 138937], ROWS) for _ in range(9)),
    ]
    names = (
        "timestamp uid campaign conversion conversion_timestamp conversion_id attribution click "
        "click_pos click_nb cost cpo time_since_last_click "
        + " ".join(f"cat{k}" for k in range(1, 10))
    )
    path = folder / "criteo_attribution_dataset.tsv.gz"
    path.write_bytes(gzip.compress(lines(columns, "\t", names.replace(" ", "\t")).encode()))
    return path


def criteo_display(folder: Path, rng: Rng) -> Path:
    """train.txt: tabs, no header; a label, 13 counts, 26 hashes of 32 bits; all may be empty."""
    counts = [gaps(rng, rng.integers(-2, 3000, ROWS).tolist(), 0.3) for _ in range(13)]
    hashes = [gaps(rng, hexes(rng, 8)) for _ in range(26)]
    path = folder / "train.txt"
    path.write_text(lines([(rng.random(ROWS) < 0.3).astype(int), *counts, *hashes], "\t"))
    return path


def avazu(folder: Path, rng: Rng) -> Path:
    """train.csv: ids of 64 bits that pandas has made floats of, hours as YYMMDDHH, hashes."""
    hours = [f"141021{h:02d}" for h in sorted(rng.integers(0, 24, ROWS).tolist())]
    columns: list[Any] = [
        [f"{int(k)}" for k in rng.integers(10**18, 2**63 - 1, ROWS)],
        (rng.random(ROWS) < 0.3).astype(int),
        hours,
        rng.choice([1005, 1002], ROWS),
        rng.integers(0, 2, ROWS),
        *(hexes(rng, 8) for _ in range(9)),
        *(rng.choice([0, 1, 35, 79], ROWS) for _ in range(2)),
        *(rng.choice([-1, 100084, 320, 50, 21], ROWS) for _ in range(8)),
    ]
    names = (
        "id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,"
        "app_category,device_id,device_ip,device_model,device_type,device_conn_type,"
        "C14,C15,C16,C17,C18,C19,C20,C21"
    )
    path = folder / "train.csv"
    path.write_text(lines(columns, ",", names))
    return path


def kuairand(folder: Path, rng: Rng) -> Path:
    """log_standard.csv: a header, times in milliseconds, several kinds of feedback."""
    click, long_view = funnel(rng)
    times = 1649308800000 + np.sort(rng.integers(0, 10**9, ROWS))
    columns: list[Any] = [
        rng.integers(0, 60, ROWS),
        rng.integers(0, 40, ROWS),
        rng.choice([20220408, 20220409], ROWS),
        rng.integers(0, 24, ROWS) * 100,
        times,
        click,
        *(rng.random((5, ROWS)) < 0.02).astype(int),
        long_view,
        click * rng.integers(0, 90_000, ROWS),
        rng.integers(3_000, 90_000, ROWS),
        *(np.zeros((2, ROWS), int)),
        *(rng.random((2, ROWS)) < 0.1).astype(int),
        rng.integers(0, 15, ROWS),
    ]
    names = (
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
        "is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,"
        "is_profile_enter,is_rand,tab"
    )
    path = folder / "log_standard.csv"
    path.write_text(lines(columns, ",", names))
    return path


def tenrec(folder: Path, rng: Rng) -> Path:
    """QB-video with the ten items before: a header, hist_1 to hist_10, 0 where there was none."""
    click, like = funnel(rng)
    columns: list[Any] = [
        rng.integers(1, 60, ROWS),
        rng.integers(1, 40, ROWS),
        click,
        *(click * (rng.random((1, ROWS)) < 0.01)),
        like,
        *(click * (rng.random((1, ROWS)) < 0.01)),
        rng.integers(0, 3, ROWS),
        rng.integers(0, 5, ROWS),
        rng.integers(0, 3, ROWS),
        rng.integers(0, 8, ROWS),
        *(rng.integers(0, 40, (10, ROWS))),
    ]
    names = "user_id,item_id,click,follow,like,share,video_category,watching_times,gender,age,"
    path = folder / "ctr_data.csv"
    path.write_text(lines(columns, ",", names + ",".join(f"hist_{k}" for k in range(1, 11))))
    return path


IPINYOU = [
    *("bidid", "timestamp", "logtype", "ipinyouid", "useragent", "ip", "region", "city"),
    *("adexchange", "domain", "url", "anonymous", "slotid", "width", "height", "visibility"),
    *("format", "floor", "creative", "bid", "pay", "keypage", "advertiser", "usertag"),
]


def ipinyou(folder: Path, rng: Rng) -> Path:
    """A log of a day: tabs, no header, "null" for nothing, tags with commas between them."""
    click, conversion = funnel(rng)
    agents = [
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
        'Mozilla/4.0 (compatible; "MSIE 8.0; Windows NT 5.1)',
        "null",
    ]
    tags = [",".join(map(str, rng.integers(10_006, 10_140, n))) for n in rng.integers(0, 5, ROWS)]
    columns: list[Any] = [
        hexes(rng, 32, 500),
        [f"20130606{k:09d}" for k in sorted(rng.integers(0, 235_959_999, ROWS).tolist())],
        1 + click + conversion,
        gaps(rng, [f"VhkrLP{k}" for k in rng.integers(0, 60, ROWS)], gap="null"),
        rng.choice(agents, ROWS),
        [f"183.10.{k}.*" for k in rng.integers(0, 50, ROWS)],
        rng.choice([216, 80, 0], ROWS),
        rng.choice([217, 85, 0], ROWS),
        rng.choice(["1", "2", "null"], ROWS),
        hexes(rng, 16),
        hexes(rng, 32),
        ["null"] * ROWS,
        gaps(rng, [f"mm_{k}_23" for k in rng.integers(0, 40, ROWS)], gap="null"),
        rng.choice([300, 728], ROWS),
        rng.choice([250, 90], ROWS),
        rng.choice(["FirstView", "Na", "OtherView"], ROWS),
        rng.choice(["Fixed", "Na"], ROWS),
        rng.integers(0, 100, ROWS),
        hexes(rng, 32, 9),
        rng.choice([277, 300], ROWS),
        rng.integers(1, 277, ROWS),
        ["null"] * ROWS,
        rng.choice([1458, 3358, 3386], ROWS),
        [tag or "null" for tag in tags],
    ]
    path = folder / "imp.20130606.txt"
    path.write_text(lines(columns, "\t"))
    return path


def retailrocket(folder: Path, rng: Rng) -> Path:
    """events.csv: one event a row, a transaction's id where it is one."""
    click, buy = funnel(rng)
    events = np.array(["view", "addtocart", "transaction"])[click + buy]
    columns: list[Any] = [
        1433221332117 + np.sort(rng.integers(0, 10**9, ROWS)),
        rng.integers(0, 60, ROWS),
        events,
        rng.integers(0, 40, ROWS),
        [str(k) if b else "" for k, b in zip(rng.integers(0, 17_000, ROWS), buy, strict=True)],
    ]
    path = folder / "events.csv"
    path.write_text(lines(columns, ",", "timestamp,visitorid,event,itemid,transactionid"))
    return path


def movielens(folder: Path, rng: Rng) -> Path:
    """u.data with genres beside: tabs, no header; ratings from 1 to 5."""
    genres = ["Drama", "Children's", "Sci-Fi", "Film-Noir", "(no genres listed)"]
    columns: list[Any] = [
        rng.integers(1, 60, ROWS),
        rng.integers(1, 40, ROWS),
        rng.integers(1, 6, ROWS),
        881250949 + np.sort(rng.integers(0, 10**7, ROWS)),
        ["|".join(rng.choice(genres, n, replace=False)) for n in rng.integers(1, 4, ROWS)],
    ]
    path = folder / "ratings.dat"
    path.write_text(lines(columns, "\t"))
    return path


def aliccp_skeleton(folder: Path, rng: Rng) -> Path:
    """sample_skeleton_train.csv: no header, a list of field, id and value in control characters."""
    click, buy = funnel(rng)
    lists = [
        "\x01".join(f"{f}\x02{i}\x031.0" for f, i in zip((205, 206, 301), ids, strict=True))
        for ids in rng.integers(1, 40, (ROWS, 3)).tolist()
    ]
    columns = [np.arange(1, ROWS + 1), click, buy, hexes(rng, 16), [3] * ROWS, lists]
    path = folder / "sample_skeleton_train.csv"
    path.write_text(lines(columns, ","))
    return path
