"""The methods, one file per paper. A new one needs its file, its test and one line here."""

from typing import Any

from postclick.errors import InputError
from postclick.methods.aitm import Aitm
from postclick.methods.base import Labels, Method, MethodConfig, Outputs, Phase, Prediction, Step
from postclick.methods.choruscvr import ChorusCvr
from postclick.methods.clipped_ips import ClippedIps
from postclick.methods.ctnocvr import CtNoCvr
from postclick.methods.dcmt import Dcmt
from postclick.methods.ddpo import Ddpo
from postclick.methods.dr_mse import DrBias, DrMse
from postclick.methods.dr_v2 import DrV2, IpsV2
from postclick.methods.escm2 import Escm2Ipw
from postclick.methods.escm2_dr import Escm2Dr
from postclick.methods.esmm import Esmm
from postclick.methods.evi import Evi
from postclick.methods.mmoe import Mmoe
from postclick.methods.mrdr import DrJl, Mrdr
from postclick.methods.mrdr_gpl import MrdrGpl
from postclick.methods.multi import MultiDr, MultiIpw
from postclick.methods.naive import Naive
from postclick.methods.nise import Nise
from postclick.methods.snips import Snips
from postclick.methods.ukd import Ukd

METHODS: dict[str, type[Method[Any]]] = {
    method.name: method
    for method in (
        Naive,
        Mmoe,
        Aitm,
        Esmm,
        CtNoCvr,
        MultiIpw,
        MultiDr,
        Snips,
        ClippedIps,
        Escm2Ipw,
        Escm2Dr,
        DrJl,
        Mrdr,
        DrBias,
        DrMse,
        MrdrGpl,
        IpsV2,
        DrV2,
        Dcmt,
        Ukd,
        Ddpo,
        Nise,
        Evi,
        ChorusCvr,
    )
}

__all__ = [
    "METHODS",
    "Labels",
    "Method",
    "MethodConfig",
    "Outputs",
    "Phase",
    "Prediction",
    "Step",
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
