"""Methods, options and published variants that are compared with the reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from postclick.methods import METHODS
from reference import (
    baselines,
    disentangled,
    distillation,
    doubly_robust,
    latent_cause,
    propensity_learning,
    pseudo_labels,
    shrinkage,
)
from reference.losses import Terms

from .test_reference import BOTH, NARROW, WIDE, grid

REFERENCE: dict[str, Callable[..., Terms]] = {
    name: getattr(module, name)
    for module, names in {
        baselines: (
            "mmoe",
            "anchor",
            "aitm",
            "ctnocvr",
            "multi_ipw",
            "snips",
            "clipped_ips",
            "tempered_ips",
        ),
        doubly_robust: ("multi_dr", "escm2_dr", "dr_jl", "mrdr", "dr_bias", "dr_mse", "stable_dr"),
        shrinkage: ("dros",),
        disentangled: ("dt_dr",),
        propensity_learning: ("mrdr_gpl", "ips_v2", "dr_v2"),
        pseudo_labels: ("dcmt", "ddpo", "nise"),
        distillation: ("ukd",),
        latent_cause: ("selection_at",),
    }.items()
    for name in names
}
SERVED = ("ctr", "cvr")
IMPUTED = (*SERVED, "imputation")
HEADS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("mmoe", "anchor", "ctnocvr", "multi_ipw", "snips", "clipped_ips", "ips_v2"), SERVED
    ),
    "tempered_ips": SERVED,
    **dict.fromkeys(("multi_dr", "escm2_dr", "dr_jl", "mrdr", "dr_bias", "dr_mse"), IMPUTED),
    "aitm": ("ctr", "ctcvr"),
    "dros": IMPUTED,
    "stable_dr": IMPUTED,
    "dt_dr": IMPUTED,
    "mrdr_gpl": ("ctr", "propensity", "cvr", "imputation"),
    "dr_v2": IMPUTED,
    "dcmt": (*SERVED, "counterfactual"),
    "ukd": ("teacher", "domain", *SERVED, "cvr_second"),
    "ddpo": (*SERVED, "conversion"),
    "nise": SERVED,
    "selection_at": SERVED,
}


@dataclass(frozen=True)
class Run:
    """A method with options; ``meaning`` where the reference names them differently."""

    name: str
    options: dict[str, Any] = field(hash=False, default_factory=dict)
    variant: str | None = None
    meaning: dict[str, Any] | None = field(hash=False, default=None)

    def __str__(self) -> str:
        shown = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.name}/{self.variant or ''}[{shown}]"

    @property
    def reference(self) -> dict[str, Any]:
        return self.options if self.meaning is None else self.meaning

    def library_options(self) -> dict[str, Any]:
        assert self.name in METHODS, f"method {self.name!r} is missing"
        variants = METHODS[self.name].variants
        if self.variant is None:
            return self.options
        assert self.variant in variants, f"{self.name} has no variant {self.variant!r}"
        return {**variants[self.variant], **self.options}

    def heads(self) -> tuple[str, ...]:
        meaning = self.reference
        if meaning.get("head") == "cvr":
            return SERVED
        if meaning.get("pseudo") == "click_tower":
            return (*SERVED, "teacher")
        if meaning.get("conversion_head") is False:
            return SERVED
        return HEADS[self.name]


CLIPPED: dict[str, tuple[Any, ...]] = {"clip": (WIDE, NARROW), "detach_propensity": BOTH}
STEP: dict[str, tuple[Any, ...]] = {
    "imputation_loss": ("squared", "ce"),
    "imputation_norm": ("entire", "clicked"),
    **CLIPPED,
}
BALANCE: dict[str, tuple[Any, ...]] = {
    "error": ("ce", "mse"),
    "attach": ("balance", "all"),
    "bmse": ("square", "abs"),
    **CLIPPED,
}
GRIDS: dict[str, list[dict[str, Any]]] = {
    "mmoe": [
        *grid(reduction=("mean_clicked", "mean_entire"), rank_weight=(0.0, 0.5)),
        *grid(rank_weight=(0.0, 0.5), list_weight=(0.7,)),
    ],
    "anchor": [
        *grid(reduction=("mean_clicked", "mean_entire"), rank_weight=(0.0, 0.5)),
        *grid(rank_weight=(0.0, 0.5), list_weight=(0.7,)),
    ],
    "aitm": grid(head=("ctcvr", "cvr"), constraint_reduction=("sum", "mean")),
    "ctnocvr": grid(detach_ctr_in_ctcvr=BOTH),
    "multi_ipw": grid(ipw_norm=("entire", "clicked", "self"), **CLIPPED),
    "multi_dr": grid(
        detach_mode=("sound", "released"),
        imputation_activation=("sigmoid", "softplus"),
        **CLIPPED,
    ),
    "snips": grid(extra_batch_mean=BOTH, **CLIPPED),
    "clipped_ips": grid(floor=(0.05, 0.4), detach_propensity=BOTH),
    "tempered_ips": grid(alpha=(0.0, 0.3, 1.0), ipw_norm=("entire", "clicked", "self"), **CLIPPED),
    "dros": [
        *grid(shrinkage=(None, 0.0, 3.0, 400.0), form=("optimistic", "pessimistic"), **CLIPPED),
        *grid(imputation_weighting=("none", "inverse", "squared"), **CLIPPED),
    ],
    "escm2_dr": [
        *grid(
            detach_mode=("sound", "released"),
            imputation_activation=("sigmoid", "softplus"),
            max_weight=(None, 2.0),
            **CLIPPED,
        ),
        *grid(absolute=(True,), detach_mode=("sound", "released"), detach_propensity=BOTH),
        *grid(imputation=("label",), max_weight=(None, 2.0), **CLIPPED),
    ],
    "dr_jl": grid(**STEP),
    "mrdr": grid(**STEP),
    "dr_bias": grid(**STEP),
    "dr_mse": grid(bias_weight=(0.0, 0.5, 0.8), **STEP),
    "stable_dr": grid(**STEP),
    "dt_dr": grid(attach=("none", "all"), **CLIPPED),
    "mrdr_gpl": grid(bias_norm=("n", "n2"), regulariser_floor=(1e-4, 0.4), **STEP),
    "ips_v2": grid(**BALANCE),
    "dr_v2": grid(**BALANCE),
    "dcmt": [
        *grid(self_normalise=BOTH, **CLIPPED),
        *grid(normalise_over_all=BOTH, counterfactual_label=("flipped", "recorded")),
    ],
    "ukd": grid(
        kl_space=("unclicked", "all"),
        unclicked_weight=(0.5, 0.9),
        uncertainty=BOTH,
        exponent=(100.0, 20.0),
    ),
    "ddpo": grid(
        soft_label=("dynamic", "unclicked_only"),
        extra_batch_mean=BOTH,
        self_normalise=BOTH,
        clip=((1e-6, 1 - 1e-6), NARROW),
        detach_propensity=BOTH,
    ),
    "nise": [
        *grid(
            pseudo=("self_attached", "self_detached", "click_tower"),
            unclicked=BOTH,
            alpha=(1.0, 0.5),
            beta=(50.0, 1.1),
        ),
        *grid(pseudo=("self_attached",), fixed_weight=(0.3,), unclicked=BOTH),
        *grid(ctr_task=(False,), unclicked=BOTH),
    ],
    "selection_at": grid(dependence=(0.0, 1.0, -1.3), latent=("normal", "two_point", "skewed")),
}
EVI_CLIP = (1e-7, 1 - 1e-7)
OVER_ALL = {"normalise_over_all": True, "counterfactual_label": "recorded"}
ABSOLUTE: dict[str, Any] = {"clip": EVI_CLIP, "absolute": True}
VARIANTS = [
    Run("selection_at", variant="one", meaning={"dependence": 1.0}),
    Run("aitm", variant="cvr_head", meaning={"head": "cvr"}),
    Run("aitm", variant="evi_repo", meaning={"head": "cvr", "constraint_reduction": "mean"}),
    Run(
        "snips",
        variant="evi_repo",
        meaning={"clip": EVI_CLIP, "detach_propensity": False, "extra_batch_mean": True},
    ),
    Run(
        "escm2_dr",
        variant="evi_repo",
        meaning={**ABSOLUTE, "detach_propensity": False, "detach_mode": "released"},
    ),
    Run("escm2_dr", variant="label", meaning={"imputation": "label"}),
    Run(
        "escm2_dr",
        variant="released",
        meaning={"detach_mode": "released", "clip": (1e-6, 1.0), "max_weight": 15.0},
    ),
    Run("dros", variant="direct", meaning={"shrinkage": 0.0}),
    Run("dros", variant="pessimistic", meaning={"shrinkage": 20.0, "form": "pessimistic"}),
    Run("stable_dr", variant="no_constraint", meaning={}),
    Run("dt_dr", variant="no_orthogonality", meaning={}),
    Run("dt_dr", variant="released", meaning={"attach": "all", "clip": (0.05, 1 - 1e-7)}),
    Run("mrdr_gpl", variant="evi_repo", meaning={"evi_repo": True, "clip": EVI_CLIP}),
    Run("dr_v2", variant="evi_repo", meaning={**ABSOLUTE, "attach": "all", "bmse": "abs"}),
    Run("dcmt", variant="evi_repo", meaning={**OVER_ALL, "clip": WIDE}),
    Run("ukd", variant="evi_repo", meaning={"kl_space": "all"}),
    Run("ukd", variant="no_adversary", meaning={}),
    Run("ukd", variant="distillation", meaning={"uncertainty": False}),
    Run("nise", variant="no_ctr", meaning={"ctr_task": False}),
    Run("nise", variant="no_unclicked", meaning={"unclicked": False}),
    Run("nise", variant="fixed_weight", meaning={"fixed_weight": 1.0}),
    Run("nise", variant="self_detached", meaning={"pseudo": "self_detached"}),
    Run("nise", variant="click_tower", meaning={"pseudo": "click_tower"}),
    Run("ddpo", variant="released", meaning={"extra_batch_mean": True}),
    Run("ddpo", variant="no_convn", meaning={"conversion_head": False}),
    Run("ddpo", variant="no_ctm", meaning={}),
    Run("ddpo", variant="no_dsl", meaning={"soft_label": "unclicked_only"}),
    Run(
        "ddpo",
        variant="evi_repo",
        meaning={"soft_label": "unclicked_only", "self_normalise": False, "clip": EVI_CLIP},
    ),
    *(
        Run(name, variant="released", meaning={"attach": "all", "clip": (1e-15, 1 - 1e-15)})
        for name in ("ips_v2", "dr_v2")
    ),
]
# Terms that need more than logits: features of DR-V2, predictions of an earlier model in NISE.
EXTRAS = [
    *(
        Run(name, options)
        for name in ("ips_v2", "dr_v2")
        for options in grid(
            phi=("features", "both"), bmse=("square", "abs"), attach=("balance", "all")
        )
    ),
    *(Run("nise", o) for o in grid(pseudo=("ema", "previous_epoch"), beta=(50.0, 0.7))),
]
# Options that the terms do not depend on, beside weights: networks and schedules.
ELSEWHERE = {
    "preset",
    "imputation_embeddings",
    "turns",
    "propensity_share",
    "teacher_share",
    "bias_share",
    "transfer",
    "transfer_projection",
    "transfer_bias",
}
RUNS = [
    *(Run(name) for name in REFERENCE),
    *(Run(name, options) for name, found in GRIDS.items() for options in found),
    *VARIANTS,
]
