"""The methods, one file per paper. A new one of ours needs its file, its test and one line here.

One of yours needs nothing here: hand over the class, or register it as an entry point.
"""

from typing import Any

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
from postclick.methods.finding import METHODS, REGISTRY, find_method, title_of
from postclick.methods.fitted import FittedMethod
from postclick.methods.gbdt import Gbdt
from postclick.methods.logistic import Logistic
from postclick.methods.mean_of import MeanOf
from postclick.methods.mmoe import Mmoe
from postclick.methods.mrdr import DrJl, Mrdr
from postclick.methods.mrdr_gpl import MrdrGpl
from postclick.methods.multi import MultiDr, MultiIpw
from postclick.methods.naive import Naive
from postclick.methods.nise import Nise
from postclick.methods.selection import Selection
from postclick.methods.selection_at import SelectionAt
from postclick.methods.selection_network import SelectionNetwork
from postclick.methods.snips import Snips
from postclick.methods.stable_dr import StableDr
from postclick.methods.tempered_ips import TemperedIps
from postclick.methods.ukd import Ukd

_OURS: tuple[type[Method[Any]], ...] = (
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
    SelectionAt,
    SelectionNetwork,
    Logistic,
    Gbdt,
    MeanOf,
)
METHODS.update((method.name, method) for method in _OURS)

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
    "MeanOf",
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
    "SelectionAt",
    "SelectionNetwork",
    "Snips",
    "StableDr",
    "Step",
    "TemperedIps",
    "Ukd",
    "find_method",
    "title_of",
]
