"""The commands, or the lines of Python, that repeat a comparison and its single runs."""

import json
import shlex
from typing import Any

from postclick.experiments.comparison.plan import FIXED_BACKBONE, FIXED_LENGTH
from postclick.methods import Method, find_method
from postclick.reporting.folder import ComparisonFolder
from postclick.runs.overrides import SECTIONS, has_say, read_by
from postclick.runs.settings import RunSettings

Changes = dict[str, Any]


def compare_again(comparison: ComparisonFolder) -> str:
    """Repeat the comparison: a command, or Python where arms have settings of their own."""
    settings, data = comparison.settings, data_folder(comparison)
    backbones = {
        entry["network"]["backbone"]
        for entry in settings.values()
        if _reads(entry, "network.backbone")
    }
    # Different ones are settings of the arms' own.
    backbone = backbones.pop() if len(backbones) == 1 else FIXED_BACKBONE
    changes = {arm: _changes(entry, backbone) for arm, entry in settings.items()}
    shared = _shared(settings, changes)
    own = {
        arm: {key: value for key, value in found.items() if key not in shared}
        for arm, found in changes.items()
    }
    summary = comparison.parts[0].summary
    features = comparison.parts[0].features
    common = [f"{key}={json.dumps(value)}" for key, value in shared.items()]
    named_alike = all(entry["method"] == arm for arm, entry in settings.items())
    if named_alike and not any(own.values()):
        words = ["postclick", "compare", data, "--methods", ",".join(settings)]
        words += ["--seeds", str(summary.seeds), "--backbone", backbone]
        words += [word for text in common for word in ("--set", text)]
        words += ["--split", comparison.split, "--trials", str(comparison.trials)]
        words += ["--by", ",".join(features)] if features else []
        return shlex.join([*words, "--out", "DIR"])
    arms = [
        f"    Arm({arm!r}, {entry['method']!r}, "
        f"{tuple(f'{key}={json.dumps(value)}' for key, value in own[arm].items())!r}),"
        for arm, entry in settings.items()
    ]
    return "\n".join(
        [
            "from postclick.reporting.compare import compare",
            "from postclick.experiments.comparison.plan import Arm",
            "",
            "arms = [",
            *arms,
            "]",
            "compare(",
            f"    {data!r},",
            "    arms,",
            "    'DIR',",
            f"    seeds={summary.seeds},",
            f"    overrides={common!r},",
            f"    backbone={backbone!r},",
            f"    split={comparison.split!r},",
            f"    trials={comparison.trials},",
            *([f"    by={features!r},"] if features else []),
            ")",
        ]
    )


def train_again(comparison: ComparisonFolder, config: str) -> str:
    """Repeat one run from its configuration, and judge it."""
    data = data_folder(comparison)
    train = shlex.join(["postclick", "train", data, "--config", config, "--out", "RUN"])
    judged = shlex.join(["postclick", "evaluate", "RUN", data, "--split", comparison.split])
    return f"{train}\n{judged}"


def data_folder(comparison: ComparisonFolder) -> str:
    """The prepared log that the runs were trained on, as they recorded it."""
    first = next(iter(comparison.parts[0].runs.values()))
    return str(first.info["data"])


def _changes(entry: dict[str, Any], backbone: str) -> Changes:
    """`section.key` -> value for what differs from a comparison without overrides."""
    # A file's names, as a settings file has them: nothing is imported for their sake.
    named: Changes = {"method": entry["method"]}
    if _reads(entry, "network.backbone"):
        named["network"] = {"backbone": backbone}
    usual = read_by(_method(entry), ("training.threads=1", *FIXED_LENGTH), entry["options"])
    plain = RunSettings.make(config=named, overrides=usual).model_dump(mode="json")
    return {
        f"{section}.{key}": value
        for section in SECTIONS
        for key, value in entry[section].items()
        if key not in plain[section] or plain[section][key] != value
        if _reads(entry, f"{section}.{key}")
    }


def _shared(settings: dict[str, Changes], changes: dict[str, Changes]) -> Changes:
    """What is changed alike in all arms that read it, and set for all of them."""
    every = {key: value for found in changes.values() for key, value in found.items()}
    absent = object()
    return {
        key: value
        for key, value in every.items()
        if all(
            changes[arm].get(key, absent) == value
            for arm, entry in settings.items()
            if _reads(entry, key)
        )
    }


def _reads(entry: Changes, name: str) -> bool:
    """Whether the setting `section.key` has a say in an arm."""
    section, _, key = name.partition(".")
    return has_say(_method(entry), section, key, entry["options"])


def _method(entry: Changes) -> type[Method[Any]]:
    return find_method(entry["method"])[0]
