"""Settings as `key=value`: what they set, and which of them have a say in a method."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import yaml

from postclick.errors import InputError
from postclick.methods.base import Method, MethodConfig
from postclick.methods.fitted import FittedMethod
from postclick.nn.config import NetworkConfig
from postclick.runs.training_config import TrainingConfig
from postclick.suggest import meant, nearest

SECTIONS = ("options", "network", "training")


def parse_override(
    text: str, options: type[MethodConfig], backbone: object = None
) -> tuple[str, str, Any]:
    """'network.dropout=0.1' or 'dropout=0.1' -> section, key, value (YAML)."""
    path, equals, raw = text.partition("=")
    if not equals or not path.strip():
        raise InputError(f"--set {text!r}: expected key=value, e.g. training.lr=0.001")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise InputError(f"--set {text!r}: the value is not YAML: {error}") from None
    fields: dict[str, Collection[str]] = {
        "options": options.model_fields,
        "network": NetworkConfig.names(backbone),
        "training": TrainingConfig.model_fields,
    }
    section, dot, key = path.strip().partition(".")
    if dot:
        if section not in SECTIONS:
            raise InputError(
                f"--set {text!r}: no section {section!r}{meant(section, SECTIONS)}"
                f"; {', '.join(SECTIONS)}"
            )
        return section, key, value
    homes = [name for name in SECTIONS if section in fields[name]]
    if len(homes) != 1:
        problem = "is in " + " and ".join(homes) if homes else "is not a known setting"
        near = nearest(section, [name for names in fields.values() for name in names])
        see = f"did you mean {near!r}?" if near else "see 'postclick methods' and the docs"
        mend = "put the section before it" if homes else see
        raise InputError(f"--set {text!r}: {section!r} {problem}: {mend}")
    # YAML reads 1e-3 as text; pydantic takes it as a number.
    return homes[0], section, value


def has_say(
    method: type[Method[Any]], section: str, key: str, options: Mapping[str, Any] | None = None
) -> bool:
    """Whether a setting changes anything about a run of a method with these options.

    >>> from postclick.methods import ClickPrior, Esmm, MeanOf
    >>> has_say(Esmm, "training", "lr"), has_say(ClickPrior, "training", "lr")
    (True, False)
    >>> [has_say(MeanOf, "training", "lr", {"members": one}) for one in ("esmm", "click_prior")]
    [True, False]
    """
    if section == "options" or not issubclass(method, FittedMethod):
        return True
    config = method.Config.parse(method.name, dict(options or {}))
    return method.reads(config, section, key)


def read_by(
    method: type[Method[Any]],
    overrides: Sequence[str],
    variant: Mapping[str, Any] | None = None,
    own: Sequence[str] = (),
) -> list[str]:
    """Those of `key=value` settings for several methods that have a say in one of them.

    Args:
        variant, own: what the method is given beside: options of its variant, and overrides.

    >>> from postclick.methods import ClickPrior
    >>> read_by(ClickPrior, ["training.threads=1", "lr=0.01"])
    ['training.threads=1']
    """
    parts = [parse_override(text, method.Config, method.backbone) for text in (*overrides, *own)]
    options = {key: value for section, key, value in parts if section == "options"}
    return [
        text
        for text, (section, key, _) in zip(overrides, parts, strict=False)
        if has_say(method, section, key, {**(variant or {}), **options})
    ]


def require_say(
    method: type[Method[Any]], section: str, key: str, given: str, options: Mapping[str, Any]
) -> None:
    """Raise `InputError` if a setting would be without effect."""
    if not has_say(method, section, key, options) and issubclass(method, FittedMethod):
        own = ", ".join((*method.Config.model_fields, *method.reads_training))
        raise InputError(
            f"--set {given!r}: {method.name} fits itself and does not read {section}.{key}: leave "
            f"it out; it reads {own}"
        )
