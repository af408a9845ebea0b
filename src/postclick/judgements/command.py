"""The command line that makes a judgement again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from postclick.judging.predicted.columns import ModelColumns

# What stands in a command for what came from memory, not from a file.
LOG, SCHEMA, FOLDER, OUT = "LOG", "SCHEMA.yaml", "RUN_OR_BUNDLE", "DIR"
_ELSEWHERE = {"logs", "models", "out", "reporter"}


def judge_again(asked: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """The command with the options that are not as usual.

    Frames, schemas and models that came from memory are named in capitals.

    Args:
        asked: what `judge` was called with, by name; `logs` those given by place.
        usual: its defaults.

    >>> asked = {"logs": ("a b.csv",), "models": None, "by": ("shop", "hour"), "top": 20}
    >>> judge_again(asked, {"models": None, "by": (), "top": 20})
    "postclick judge 'a b.csv' --by shop,hour --out DIR"
    """
    words = ["postclick", "judge", *(_file(log, LOG) for log in asked["logs"])]
    for model in _models(asked["models"]):
        words += ["--model", model]
    for name, value in asked.items():
        if name not in _ELSEWHERE and not _same(value, usual[name]):
            words += _option(name, value)
    return shlex.join([*words, "--out", OUT])


def _option(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if name == "read":
        return [word for one in value for word in (flag, one)]
    if name == "schema":
        return [flag, _file(value, SCHEMA)]
    if name == "randomised_log":
        return [flag, _file(value, LOG)]
    if name in ("click", "conversion"):
        return [flag, _label(value)]
    if isinstance(value, list | tuple):
        return [flag, ",".join(value)]
    return [flag, str(value)]


def _same(value: Any, usual: Any) -> bool:
    """Whether an option is as it is unless given; a frame is not compared."""
    if value is None or usual is None:
        return value is usual
    if isinstance(usual, tuple) and isinstance(value, tuple | list):
        return tuple(value) == usual
    return isinstance(value, str | int | float) and value == usual


def _file(place: Any, otherwise: str) -> str:
    return str(place) if isinstance(place, str | Path) else otherwise


def _label(label: Any) -> str:
    """A column, with its rule if it has one."""
    if isinstance(label, str):
        return label
    given = label if isinstance(label, Mapping) else vars(label)
    return " ".join(filter(None, (given["column"], given.get("positive"))))


def _models(models: Any) -> Iterable[str]:
    if not models:
        return
    if not isinstance(models, Mapping):
        yield from (str(one) for one in models)
        return
    for name, model in models.items():
        yield f"{name}={_model(model)}"


def _model(model: Any) -> str:
    if isinstance(model, ModelColumns):
        model = {"pctr": model.pctr, "pcvr": model.pcvr, "pctcvr": model.pctcvr}
    if isinstance(model, Mapping):
        return ",".join(f"{kind}:{column}" for kind, column in model.items() if column)
    return _file(model, FOLDER)
