"""DR-BIAS and DR-MSE: imputation that minimises the bias, or bias and variance, of DR."""

from pydantic import Field
from torch import Tensor

from postclick.losses import LogPropensity, Terms
from postclick.methods.base import Labels, Outputs
from postclick.methods.imputation import ImputationMethod
from postclick.methods.imputation_losses import ImputationConfig, imputation_terms
from postclick.methods.mrdr import variance_weight
from postclick.ranges import Between


class DrMseConfig(ImputationConfig):
    """Options of the methods with an imputed label, and `bias_weight`.

    Attributes:
        bias_weight: share of DR-BIAS's weight in the imputation loss, the rest is MRDR's; 0 is
            MRDR and 1 is DR-BIAS.
    """

    search = {
        **ImputationConfig.search,
        "bias_weight": Between(0.0, 1.0),
    }

    bias_weight: float = Field(default=0.5, ge=0, le=1)


def squared_bias_weight(pi: LogPropensity) -> Tensor:
    """(c - pi)^2 / pi^3, which is (1 - pi)^2 / pi^3 on clicked rows."""
    return pi.weight(2, 3)


class DrBias(ImputationMethod[ImputationConfig]):
    """Doubly robust learning with an imputation that minimises the bias.

    As DR-JL (p, q, a, e, m, pi are the same), with another weight in the imputation step:

        L = mean_D l(p; c)
        L = mean_D[c (1 - pi)^2 / pi^3 (e - m)^2]   trains a, q detached
        L = mean_D[m + (c / pi)(e - m)]             trains q
    """

    name = "dr_bias"
    summary = "doubly robust CVR whose imputed label minimises the bias"
    reference = "Dai et al., Generalized Doubly Robust Learning Framework, KDD 2022"
    expect = (
        "right where either the propensity or the imputed label is. The imputation is fitted to "
        "the few clicks of lowest propensity, weight about 1/pi^3, so it is the noisiest of "
        "the family: a higher lower clip helps."
    )
    Config = ImputationConfig

    @staticmethod
    def terms(config: ImputationConfig, outputs: Outputs, labels: Labels) -> Terms:
        weight = "(1-pi)^2/pi^3"
        return imputation_terms(config, outputs, labels, squared_bias_weight, weight)


class DrMse(ImputationMethod[DrMseConfig]):
    """Doubly robust learning with an imputation that trades bias against variance.

    As DR-JL (p, q, a, e, m, pi are the same), b = bias_weight, and in the imputation step
    w = b (1 - pi)^2 / pi^3 + (1 - b) (1 - pi) / pi^2:

        L = mean_D l(p; c)
        L = mean_D[c w (e - m)^2]                   trains a, q detached
        L = mean_D[m + (c / pi)(e - m)]             trains q
    """

    name = "dr_mse"
    summary = "doubly robust CVR whose imputed label trades bias against variance"
    reference = "Dai et al., Generalized Doubly Robust Learning Framework, KDD 2022"
    expect = (
        "right where either the propensity or the imputed label is. Unless bias_weight is small "
        "the bias part rules, since its weight is larger by (1 - pi) / pi."
    )
    Config = DrMseConfig

    @staticmethod
    def terms(config: DrMseConfig, outputs: Outputs, labels: Labels) -> Terms:
        def mixed(pi: LogPropensity) -> Tensor:
            share = config.bias_weight
            return share * squared_bias_weight(pi) + (1 - share) * variance_weight(pi)

        return imputation_terms(
            config, outputs, labels, mixed, "(1-pi)^2/pi^3 and (1-pi)/pi^2, mixed"
        )
