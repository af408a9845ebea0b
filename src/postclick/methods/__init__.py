"""The methods, one file per paper. A new one of ours needs its file, its test and one line here.

One of yours needs nothing here: hand over the class, or register it as an entry point.
"""

from typing import Any

from postclick.errors import InputError
from postclick.methods.aitm import Aitm
from postclick.methods.anchor import Anchor
from postclick.methods.base import (
    Contract,
    Labels,
    Method,
    MethodConfig,
    Outputs,
    Phase,
    Prediction,
    Step,
)
from postclick.methods.choruscvr import ChorusCvr
from postclick.methods.click_prior import ClickPrior
from postclick.methods.clipped_ips import ClippedIps
from postclick.methods.ctnocvr import CtNoCvr
from postclick.methods.dcmt import Dcmt
from postclick.methods.ddpo import Ddpo
from postclick.methods.dr_mse import DrBias, DrMse
from postclick.methods.dr_v2 import DrV2, IpsV2
from postclick.methods.dros import Dros
from postclick.methods.dt_dr import DtDr
from postclick.methods.escm2 import Escm2Ipw
from postclick.methods.escm2_dr import Escm2Dr
from postclick.methods.esmm import Esmm
from postclick.methods.evi import Evi
from postclick.methods.fitted import FittedMethod
from postclick.methods.gbdt import Gbdt
from postclick.methods.logistic import Logistic
from postclick.methods.mmoe import Mmoe
from postclick.methods.mrdr import DrJl, Mrdr
from postclick.methods.mrdr_gpl import MrdrGpl
from postclick.methods.multi import MultiDr, MultiIpw
from postclick.methods.naive import Naive
from postclick.methods.nise import Nise
from postclick.methods.selection import Selection
from postclick.methods.snips import Snips
from postclick.methods.stable_dr import StableDr
from postclick.methods.tempered_ips import TemperedIps
from postclick.methods.ukd import Ukd
from postclick.registry import Registry, is_place
from postclick.suggest import meant

METHODS: dict[str, type[Method[Any]]] = {
    method.name: method
    for method in (
        Naive,
        Mmoe,
        Anchor,
        Aitm,
        Esmm,
        CtNoCvr,
        MultiIpw,
        MultiDr,
        Snips,
        ClippedIps,
        TemperedIps,
        Escm2Ipw,
        Escm2Dr,
        Dros,
        DrJl,
        Mrdr,
        DrBias,
        DrMse,
        StableDr,
        DtDr,
        MrdrGpl,
        IpsV2,
        DrV2,
        Dcmt,
        Ukd,
        Ddpo,
        Nise,
        Evi,
        ChorusCvr,
        ClickPrior,
        Selection,
        Logistic,
        Gbdt,
    )
}

# Those that descend a loss batch by batch.
BATCH_METHODS = {n: m for n, m in METHODS.items() if not issubclass(m, FittedMethod)}

__all__ = [
    "BATCH_METHODS",
    "METHODS",
    "REGISTRY",
    "Aitm",
    "Anchor",
    "ChorusCvr",
    "ClickPrior",
    "ClippedIps",
    "Contract",
    "CtNoCvr",
    "Dcmt",
    "Ddpo",
    "DrBias",
    "DrJl",
    "DrMse",
    "DrV2",
    "Dros",
    "DtDr",
    "Escm2Dr",
    "Escm2Ipw",
    "Esmm",
    "Evi",
    "FittedMethod",
    "Gbdt",
    "IpsV2",
    "Labels",
    "Logistic",
    "Method",
    "MethodConfig",
    "Mmoe",
    "Mrdr",
    "MrdrGpl",
    "MultiDr",
    "MultiIpw",
    "Naive",
    "Nise",
    "Outputs",
    "Phase",
    "Prediction",
    "Selection",
    "Snips",
    "StableDr",
    "Step",
    "TemperedIps",
    "Ukd",
    "find_method",
    "title_of",
]


# Ours, and those that installed packages register as entry points `postclick.methods`.
REGISTRY: Registry[type[Method[Any]]] = Registry("method", "postclick.methods", METHODS, Method)


def find_method(method: "str | type[Method[Any]]") -> tuple[type[Method[Any]], dict[str, Any]]:
    """The method called `name` or `name/variant`, and the variant's options.

    Args:
        method: a name, a place (`package.module:Class`), either perhaps with `/variant`, or a
            class.

    Raises:
        InputError: there is no such method or variant; the message lists what there is.

    >>> find_method("choruscvr/no_sam")
    (<class 'postclick.methods.choruscvr.ChorusCvr'>, {'align_weight': 0.0})
    """
    if not isinstance(method, str):
        return REGISTRY.find(method), {}
    base, slash, variant = method.partition("/")
    found = REGISTRY.find(base)
    if not slash:
        return found, {}
    if variant not in found.variants:
        known = ", ".join(f"{base}/{v}" for v in found.variants)
        there = f"there is {known}" if known else "there is none"
        raise InputError(
            f"method {base} has no variant {variant!r}{meant(variant, found.variants)}; {there}"
        )
    return found, dict(found.variants[variant])


def title_of(method: str) -> str:
    """How a method is called in tables and folders: a class at a place by its own name.

    >>> title_of("evi/no_vie"), title_of("postclick.methods.evi:Evi/no_vie")
    ('evi/no_vie', 'evi/no_vie')
    """
    if not is_place(method):
        return method
    base, slash, variant = method.partition("/")
    found = REGISTRY.find(base)
    # A name that is inherited is another method's.
    own = vars(found).get("name", found.__name__)
    return f"{own}{slash}{variant}"
