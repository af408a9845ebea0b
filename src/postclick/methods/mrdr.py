"""DR-JL and MRDR: doubly robust learning with an imputed conversion label."""

from torch import Tensor

from postclick.losses import LogPropensity, Terms
from postclick.methods.base import Labels, Outputs
from postclick.methods.imputation import ImputationMethod
from postclick.methods.imputation_losses import ImputationConfig, imputation_terms


def joint_learning_weight(pi: LogPropensity) -> Tensor:
    """1/pi."""
    return pi.inverse()


def variance_weight(pi: LogPropensity) -> Tensor:
    """(1 - pi) / pi^2: the variance of the doubly robust loss (MRDR)."""
    return pi.weight(1, 2)


class DrJl(ImputationMethod[ImputationConfig]):
    """Doubly robust joint learning.

    Models for p, q and a, the imputed conversion label; e = l(q; v), m = l(q; sg(a)),
    pi = clipped p, frozen after its own phase. One minimised after the other:

        L = mean_D l(p; c)
        L = mean_D[c (e - m)^2 / pi]            trains a, q detached
        L = mean_D[m + (c / pi)(e - m)]         trains q
    """

    name = "dr_jl"
    summary = "doubly robust CVR with an imputed label, the two trained in turn"
    reference = "Wang et al., Doubly Robust Joint Learning, ICML 2019"
    expect = (
        "right where either the propensity or the imputed label is. The propensity has a model "
        "of its own and is frozen after a phase of its own, so pCTR shares nothing "
        "with pCVR. Squared imputation loss is dominated by rows whose pCVR is far from 1/2."
    )
    Config = ImputationConfig

    @staticmethod
    def terms(config: ImputationConfig, outputs: Outputs, labels: Labels) -> Terms:
        return imputation_terms(config, outputs, labels, joint_learning_weight, "1/pi")


class Mrdr(ImputationMethod[ImputationConfig]):
    """More robust doubly robust learning: imputation that minimises the variance.

    As DR-JL (p, q, a, e, m, pi are the same), with another weight in the imputation step:

        L = mean_D l(p; c)
        L = mean_D[c (1 - pi) / pi^2 (e - m)^2]     trains a, q detached
        L = mean_D[m + (c / pi)(e - m)]             trains q
    """

    name = "mrdr"
    summary = "doubly robust CVR whose imputed label minimises the variance"
    reference = "Guo et al., Enhanced Doubly Robust Learning (MRDR), SIGIR 2021"
    expect = (
        "right where either the propensity or the imputed label is. Small propensities weigh "
        "(1 - pi) / pi^2 in the imputation, about 10^3 at a CTR of a few percent: keep "
        "imputation_norm=entire, or give the imputation its own embeddings."
    )
    Config = ImputationConfig

    @staticmethod
    def terms(config: ImputationConfig, outputs: Outputs, labels: Labels) -> Terms:
        return imputation_terms(config, outputs, labels, variance_weight, "(1-pi)/pi^2")
