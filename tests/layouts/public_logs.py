"""The published layouts of public logs, and the schemas that readers of their pages write."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layouts.public_files import (
    IPINYOU,
    Rng,
    aliccp_skeleton,
    avazu,
    criteo_attribution,
    criteo_display,
    ipinyou,
    kuairand,
    movielens,
    retailrocket,
    tenrec,
)

ALICCP = ["id", "click", "purchase", "common", "number", "features"]
_DISPLAY = ["label", *(f"I{k}" for k in range(1, 14)), *(f"C{k}" for k in range(1, 27))]


@dataclass(frozen=True)
class PublicLog:
    """A layout, and the schema that a reader of its description writes.

    Attributes:
        write: makes the file in a folder.
        schema: for `LogSchema.parse`.
        propose: how a schema is drafted: arguments of `propose_schema` beside the log.
        on_bad_rows: what the log needs, by what is known of it.
    """

    write: Callable[[Path, Rng], Path]
    schema: dict[str, Any]
    propose: dict[str, Any] = field(default_factory=dict)
    on_bad_rows: str = "error"


LOGS: dict[str, PublicLog] = {
    "Criteo attribution": PublicLog(
        criteo_attribution,
        {
            "click": "click",
            "conversion": "attribution",
            "categorical": ["uid", "campaign", *(f"cat{k}" for k in range(1, 10))],
            "numeric": ["cost", {"name": "time_since_last_click", "transform": "log1p"}],
            "ignore": ["conversion", "conversion_timestamp", "conversion_id", "cpo"],
            "time": "timestamp",
            "missing": ["-1"],
        },
        {"click": "click", "conversion": "attribution"},
    ),
    "Criteo display": PublicLog(
        criteo_display,
        {
            "click": {"column": "I1", "positive": "> 0"},
            "conversion": "label",
            "categorical": [f"C{k}" for k in range(1, 27)],
            "numeric": [{"name": f"I{k}", "transform": "log1p"} for k in range(2, 14)],
            "read": {"separator": "tab", "header": _DISPLAY},
        },
        {
            "read": {"separator": "tab", "header": _DISPLAY},
            "click": "I1 > 0",
            "conversion": "label",
        },
        on_bad_rows="drop",
    ),
    "Avazu": PublicLog(
        avazu,
        {
            "click": {"column": "banner_pos", "positive": "> 0"},
            "conversion": "click",
            "categorical": ["site_id", "app_id", "device_id", "device_model", "C1", "C14", "C20"],
            "ignore": ["id"],
            "time": "hour",
        },
        {"click": "banner_pos", "conversion": "click"},
        on_bad_rows="drop",
    ),
    "KuaiRand": PublicLog(
        kuairand,
        {
            "click": "is_click",
            "conversion": "long_view",
            "categorical": ["user_id", "video_id", "tab"],
            "numeric": ["duration_ms"],
            "ignore": ["play_time_ms"],
            "time": "time_ms",
            "group": "user_id",
        },
        {"click": "is_click", "conversion": "long_view"},
    ),
    "Tenrec": PublicLog(
        tenrec,
        {
            "click": "click",
            "conversion": "like",
            "categorical": ["user_id", "item_id", "gender", "age", "video_category"]
            + [f"hist_{k}" for k in range(1, 11)],
            "ignore": ["follow", "share", "watching_times"],
        },
        {"conversion": "like"},
    ),
    "iPinYou": PublicLog(
        ipinyou,
        {
            "click": {"column": "logtype", "positive": ">= 2"},
            "conversion": {"column": "logtype", "positive": ">= 3"},
            "categorical": ["ipinyouid", "useragent", "region", "adexchange", "slotid", "creative"],
            "numeric": ["floor"],
            "multi": [{"name": "usertag", "separator": ","}],
            "ignore": ["pay"],
            "read": {"separator": "tab", "header": IPINYOU},
        },
        {
            "read": {"separator": "tab", "header": IPINYOU},
            "click": "logtype >= 2",
            "conversion": "logtype >= 3",
        },
    ),
    "RetailRocket": PublicLog(
        retailrocket,
        {
            "click": {"column": "event", "positive": "!= view"},
            "conversion": {"column": "transactionid"},
            "categorical": ["visitorid", "itemid"],
            "time": "timestamp",
        },
        {"click": "event != view", "conversion": "transactionid"},
    ),
    "MovieLens": PublicLog(
        movielens,
        {
            "click": {"column": "rating", "positive": ">= 3"},
            "conversion": {"column": "rating", "positive": ">= 5"},
            "categorical": ["user", "movie"],
            "multi": [{"name": "genres", "separator": "|"}],
            "time": "at",
            "read": {"separator": "tab", "header": ["user", "movie", "rating", "at", "genres"]},
        },
        {
            "read": {"separator": "tab", "header": ["user", "movie", "rating", "at", "genres"]},
            "click": "rating >= 3",
            "conversion": "rating >= 5",
        },
    ),
    "Ali-CCP": PublicLog(
        aliccp_skeleton,
        {
            "click": "click",
            "conversion": "purchase",
            "categorical": ["common"],
            "multi": [{"name": "features", "separator": "\x01"}],
            "read": {"separator": ",", "header": ALICCP},
        },
        {"read": {"separator": ",", "header": ALICCP}},
    ),
}
