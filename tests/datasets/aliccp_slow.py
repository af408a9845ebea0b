"""A second reader of Ali-CCP's raw files: plain Python, one line at a time, no shared code."""

from pathlib import Path
from typing import Any

USER = ["101", "121", "122", "124", "125", "126", "127", "128", "129"]
SINGLE = [*USER, "205", "206", "207", "216", "508", "509", "702"]
LISTS = ["853", "109_14", "110_14", "127_14", "150_14"]


def slow_rows(folder: Path, split: str, preset: str, drop: bool) -> list[dict[str, Any]]:
    users = {}
    for line in _lines(folder / f"common_features_{split}.csv"):
        key, _, features = line.split(",")
        users[key] = features
    rows = []
    for line in _lines(folder / f"sample_skeleton_{split}.csv"):
        sample, click, purchase, key, _, features = line.split(",")
        if drop and click == "0" and purchase == "1":
            continue
        tokens = [_token(t) for t in (users[key] + "\x01" + features).split("\x01")]
        row: dict[str, Any] = {
            "sample_id": int(sample),
            "click": int(click),
            "purchase": int(purchase),
        }
        last = {name: (feature, value) for name, feature, value in tokens}
        for name in [*SINGLE, *(["853"] if preset == "standard" else []), "301"]:
            row[name] = last[name][0] if name in last else None
        if preset == "all":
            for name in ("508", "509", "702"):
                row[f"{name}_value"] = last[name][1] if name in last else 0.0
            row["210"] = [f for n, f, _ in tokens if n == "210"] or None
            for name in LISTS:
                row[name] = [f for n, f, _ in tokens if n == name] or None
                row[f"{name}_weight"] = [v for n, _, v in tokens if n == name] or None
        rows.append(row)
    return rows


def _lines(path: Path) -> list[str]:
    return path.read_bytes().decode().removesuffix("\n").split("\n")


def _token(text: str) -> tuple[str, int, float]:
    name, rest = text.split("\x02")
    feature, value = rest.split("\x03")
    return name, int(feature), float(value)
