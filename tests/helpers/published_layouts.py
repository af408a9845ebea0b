"""Small generated logs in the layouts in which public data sets are published."""

from collections.abc import Callable

import numpy as np
import polars as pl

ROWS = 4000
Rng = np.random.Generator


def _hex(rng: Rng, values: int, rows: int = ROWS) -> list[str]:
    names = [f"{int(k):08x}" for k in rng.integers(0, 2**32, values)]
    return [names[k] for k in rng.integers(0, values, rows)]


def _ids(rng: Rng, values: int, rows: int = ROWS) -> np.ndarray:
    return rng.integers(0, 2**31 - 1, values)[rng.integers(0, values, rows)]


def _funnel(rng: Rng, ctr: float = 0.3, cvr: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    click = rng.random(ROWS) < ctr
    return click, click & (rng.random(ROWS) < cvr)


def criteo_attribution(rng: Rng) -> pl.DataFrame:
    """Tab separated: -1 where there is no conversion, click position or time since a click."""
    click, conversion = _funnel(rng)
    stamp = np.sort(rng.integers(0, 2_671_200, ROWS))
    return pl.DataFrame(
        {
            "timestamp": stamp,
            "uid": _ids(rng, 900),
            "campaign": _ids(rng, 60),
            "conversion": conversion.astype(int),
            "conversion_timestamp": np.where(conversion, stamp + 3600, -1),
            "conversion_id": np.where(conversion, _ids(rng, ROWS), -1),
            "attribution": (conversion & (rng.random(ROWS) < 0.6)).astype(int),
            "click": click.astype(int),
            "click_pos": np.where(conversion, rng.integers(0, 5, ROWS), -1),
            "click_nb": np.where(conversion, rng.integers(1, 6, ROWS), -1),
            "cost": rng.lognormal(-8, 1, ROWS),
            "cpo": rng.lognormal(-2, 0.5, ROWS),
            "time_since_last_click": np.where(
                rng.random(ROWS) < 0.5, -1, rng.integers(1, 10**6, ROWS)
            ),
            **{f"cat{k}": _ids(rng, 9 * k + 2) for k in range(1, 10)},
        }
    )


def criteo_display(rng: Rng) -> pl.DataFrame:
    """Label, 13 counts, 26 hashed categories; the label is a click, so a conversion is made up."""
    click, conversion = _funnel(rng)
    counts = {
        f"I{k}": [
            None if rng.random() < 0.2 else int(x)
            for x in rng.lognormal(k / 4, 1.5, ROWS) - (k == 2)
        ]
        for k in range(1, 14)
    }
    categories = {f"C{k}": _hex(rng, 30 * k) for k in range(1, 27)}
    return pl.DataFrame(
        {"click": click.astype(int), "conversion": conversion.astype(int), **counts, **categories}
    )


def avazu(rng: Rng) -> pl.DataFrame:
    """Ids of 64 bits, hours as YYMMDDHH, hashed categories."""
    click, conversion = _funnel(rng)
    return pl.DataFrame(
        {
            "id": rng.integers(0, 2**64 - 1, ROWS, dtype=np.uint64),
            "click": click.astype(int),
            "conversion": conversion.astype(int),
            "hour": 14_102_100 + 100 * rng.integers(0, 9, ROWS) + rng.integers(0, 24, ROWS),
            "C1": rng.choice([1001, 1002, 1005, 1007, 1010], ROWS),
            "banner_pos": rng.integers(0, 7, ROWS),
            **{
                name: _hex(rng, size)
                for name, size in (
                    *(("site_id", 300), ("site_domain", 200), ("site_category", 20)),
                    *(("app_id", 300), ("app_domain", 60), ("app_category", 20)),
                    *(("device_id", 900), ("device_ip", 1500), ("device_model", 400)),
                )
            },
            "device_type": rng.integers(0, 5, ROWS),
            "device_conn_type": rng.choice([0, 2, 3, 5], ROWS),
            **{f"C{k}": rng.integers(100, 100 + 3 * k, ROWS) for k in range(14, 22)},
        }
    )


def kuairand(rng: Rng) -> pl.DataFrame:
    """What a viewer did, and how long: all of it after the impression."""
    click, long_view = _funnel(rng)
    play = np.where(click, rng.integers(1000, 90_000, ROWS), rng.integers(0, 1000, ROWS))
    start = 1_650_000_000_000
    reactions = ("is_like", "is_follow", "is_comment", "is_forward", "is_hate", "is_profile_enter")
    return pl.DataFrame(
        {
            "user_id": rng.integers(0, 500, ROWS),
            "video_id": rng.integers(0, 800, ROWS),
            "date": 20_220_408 + rng.integers(0, 20, ROWS),
            "hourmin": 100 * rng.integers(0, 24, ROWS) + rng.choice([0, 15, 30, 45], ROWS),
            "time_ms": start + rng.integers(0, 10**9, ROWS),
            "is_click": click.astype(int),
            **{name: (rng.random(ROWS) < 0.05).astype(int) for name in reactions},
            "long_view": long_view.astype(int),
            "play_time_ms": play,
            "duration_ms": rng.integers(5000, 200_000, ROWS),
            "profile_stay_time": np.where(rng.random(ROWS) < 0.03, rng.integers(1, 9999, ROWS), 0),
            "comment_stay_time": np.where(rng.random(ROWS) < 0.1, rng.integers(1, 9999, ROWS), 0),
            "is_rand": rng.integers(0, 2, ROWS),
            "tab": rng.integers(0, 15, ROWS),
        }
    )


def tenrec(rng: Rng) -> pl.DataFrame:
    """Clicks, follows, likes, shares; histories as ten columns; -1 or "\\N" for none."""
    click, like = _funnel(rng)
    histories = {f"hist_{k}": rng.integers(0, 200, ROWS) for k in range(1, 11)}
    times = ["\\N" if rng.random() < 0.4 else str(int(t)) for t in rng.integers(1, 9, ROWS)]
    return pl.DataFrame(
        {
            "user_id": rng.integers(1, 700, ROWS),
            "item_id": rng.integers(1, 900, ROWS),
            "click": click.astype(int),
            "follow": (click & (rng.random(ROWS) < 0.02)).astype(int),
            "like": like.astype(int),
            "share": (click & (rng.random(ROWS) < 0.05)).astype(int),
            "video_category": rng.choice(["0", "1", "\\N"], ROWS),
            "watching_times": times,
            "gender": rng.integers(0, 3, ROWS),
            "age": rng.integers(0, 8, ROWS),
            **histories,
        }
    )


def ipinyou(rng: Rng) -> pl.DataFrame:
    """Moments as yyyyMMddHHmmssSSS, user tags split by commas, "null" for what is not known."""
    click, conversion = _funnel(rng)
    moment = (
        20_130_606_000_000_000
        + 10**9 * rng.integers(0, 6, ROWS)
        + 10**7 * rng.integers(0, 24, ROWS)
        + 10**5 * rng.integers(0, 60, ROWS)
        + rng.integers(0, 60_000, ROWS)
    )
    tags = [
        ",".join(map(str, 10_000 + 6 * np.unique(rng.integers(0, 40, n)))) if n else "null"
        for n in rng.integers(0, 6, ROWS)
    ]
    agents = ["Mozilla/5.0 (Windows NT 6.1)", "Mozilla/4.0 (compatible; MSIE 8.0)", "Opera/9.8"]
    return pl.DataFrame(
        {
            "click": click.astype(int),
            "conversion": conversion.astype(int),
            "bidid": _hex(rng, 10**7),
            "timestamp": moment,
            "ipinyouid": _hex(rng, 1200),
            "useragent": rng.choice(agents, ROWS),
            "ip": [f"{a}.{b}.118.*" for a, b in rng.integers(1, 99, (ROWS, 2))],
            "region": rng.integers(0, 395, ROWS),
            "city": rng.integers(0, 370, ROWS),
            "adexchange": rng.choice(["1", "2", "3", "null"], ROWS),
            "domain": _hex(rng, 400),
            "url": _hex(rng, 3000),
            "urlid": ["null"] * ROWS,
            "slotid": _hex(rng, 300),
            "slotwidth": rng.choice([160, 200, 250, 300, 336, 468, 728, 950, 1000], ROWS),
            "slotheight": rng.choice([60, 90, 200, 250, 280, 600], ROWS),
            "slotvisibility": rng.choice(["0", "1", "2", "255", "FirstView", "Na"], ROWS),
            "slotformat": rng.choice(["0", "1", "5", "Na"], ROWS),
            "slotprice": rng.integers(0, 300, ROWS),
            "creative": _hex(rng, 60),
            "bidprice": rng.choice([227, 238, 294, 300], ROWS),
            "payprice": rng.integers(1, 300, ROWS),
            "keypage": _hex(rng, 60),
            "advertiser": rng.choice([1458, 3358, 3386, 3427, 3476], ROWS),
            "usertag": tags,
        }
    )


def retailrocket(rng: Rng) -> pl.DataFrame:
    """One row an event; a transaction has an id, the first of which is 0."""
    click, bought = _funnel(rng)
    event = np.where(bought, "transaction", np.where(click, "addtocart", "view"))
    number = np.cumsum(bought) - 1
    return pl.DataFrame(
        {
            "timestamp": 1_433_221_332_117 + np.sort(rng.integers(0, 10**10, ROWS)),
            "visitorid": rng.integers(0, 1000, ROWS),
            "event": event,
            "itemid": rng.integers(0, 500, ROWS),
            "transactionid": [int(n) if b else None for n, b in zip(number, bought, strict=True)],
        }
    )


def aliccp(rng: Rng) -> pl.DataFrame:
    """Clicks, purchases, ids of fields, and lists with weights beside them."""
    click, buy = _funnel(rng)
    lists = [rng.integers(0, 60, n) for n in rng.integers(0, 6, ROWS)]
    fields = ("101", "121", "122", "124", "125", "126", "127", "128", "129", "205", "206", "301")
    return pl.DataFrame(
        {
            "sample_id": np.arange(ROWS),
            "click": click.astype(int),
            "purchase": buy.astype(int),
            "common_feature_index": _hex(rng, 700),
            **{name: _ids(rng, 5 * k + 3) for k, name in enumerate(fields)},
            "109_14": ["|".join(map(str, one)) for one in lists],
            "109_14_values": ["|".join(f"{x:.3f}" for x in rng.random(len(o))) for o in lists],
        }
    )


# How each is written, and which columns are to be named because no name says what they are.
LAYOUTS: dict[str, tuple[Callable[[Rng], pl.DataFrame], str, dict[str, str]]] = {
    "criteo_attribution": (criteo_attribution, ".tsv", {}),
    "criteo_display": (criteo_display, ".tsv", {}),
    "avazu": (avazu, ".csv", {}),
    "kuairand": (kuairand, ".csv", {"conversion": "long_view"}),
    "tenrec": (tenrec, ".csv", {"conversion": "like"}),
    "ipinyou": (ipinyou, ".tsv", {}),
    "retailrocket": (retailrocket, ".csv", {"click": "event", "conversion": "transactionid"}),
    "aliccp": (aliccp, ".csv", {}),
}
