"""MMOE: the naive losses on a mixture of experts; only the sharing of parameters differs."""

from postclick.methods.contract import Contract
from postclick.methods.naive import Naive


class Mmoe(Naive):
    """Multi-gate mixture of experts with the naive CTR and click-space CVR losses.

    L = mean_D l(p; c) + mean_C l(q; v), with p = pCTR, q = pCVR, D all impressions, C clicked
    ones. On another backbone it is `naive` to the letter.
    """

    name = "mmoe"
    summary = "click-space CVR beside CTR on a mixture of experts; no correction of selection bias"
    reference = "Ma et al., Multi-gate Mixture-of-Experts, KDD 2018; EVI, Eqs. 2 and 4"
    expect = (
        "as biased as `naive`: the experts share what the tasks have in common and correct nothing."
    )
    backbone = "mmoe"
    same_as = "naive"
    variants = {}
    contract = Contract()
