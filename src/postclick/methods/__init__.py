"""The methods, one file per paper. A new one needs its file, its test and one line here."""

from typing import Any

from postclick.errors import InputError
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Phase, Prediction
from postclick.methods.choruscvr import ChorusCvr
from postclick.methods.escm2 import Escm2Ipw
from postclick.methods.esmm import Esmm
from postclick.methods.evi import Evi
from postclick.methods.naive import Naive

METHODS: dict[str, type[Method[Any]]] = {
    method.name: method for method in (Naive, Esmm, Escm2Ipw, Evi, ChorusCvr)
}

__all__ = [
    "METHODS",
    "Labels",
    "Method",
    "MethodConfig",
    "Outputs",
    "Phase",
    "Prediction",
    "find_method",
]


def find_method(name: str) -> tuple[type[Method[Any]], dict[str, Any]]:
    """The method called `name` or `name/variant`, and the variant's options.

    Raises:
        InputError: there is no such method or variant; the message lists what there is.

    >>> find_method("choruscvr/no_sam")
    (<class 'postclick.methods.choruscvr.ChorusCvr'>, {'align_weight': 0.0})
    """
    base, _, variant = name.partition("/")
    if base not in METHODS:
        raise InputError(f"there is no method {base!r}; there are {', '.join(METHODS)}")
    method = METHODS[base]
    if not variant:
        return method, {}
    if variant not in method.variants:
        known = ", ".join(f"{base}/{v}" for v in method.variants) or "no variants"
        raise InputError(f"method {base} has no variant {variant!r}; there is {known}")
    return method, dict(method.variants[variant])
