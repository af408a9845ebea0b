"""Linear methods: logistic regressions of clicks and of conversions that fit themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from postclick.data.prepared import BaseRates, InputSpec
from postclick.linear.posterior import fit_mode
from postclick.linear.rows import Blocks, Floats
from postclick.linear.variances import EmpiricalBayes, Groups, estimate_variances
from postclick.methods.fitted import FittedMethod
from postclick.methods.linear_rows import Columns
from postclick.methods.networks.linear_heads import LinearHeads
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.nn.config import NetworkConfig
from postclick.nn.exposure import GAIN

# Variances are a few numbers: so many rows tell them well enough.
VARIANCE_ROWS = 500_000
CTR, CVR = 0, 1
C = TypeVar("C", bound=MethodConfig)


@dataclass(frozen=True)
class Fit:
    """A fitted logistic regression: coefficients by column, variances by group."""

    coefficients: Floats
    variances: Floats


class LinearMethod(FittedMethod[C]):
    """Base of methods whose logits are linear in the features.

    The embedding has two numbers for each value of each field, what it adds to the logit of a
    click and to that of a conversion.
    """

    def __init__(
        self, config: C, network: NetworkConfig, inputs: InputSpec, rates: BaseRates, dim: int
    ) -> None:
        # Lists are pooled and vectors taken as they are, whatever a network would make of them.
        self.inputs = replace(
            inputs, bag_targets=(), vectors=tuple((size, None) for size, _ in inputs.vectors)
        )
        super().__init__(config, NetworkConfig(), self.inputs, rates, self.outputs(config))

    @classmethod
    def outputs(cls, config: Any) -> int:
        """Numbers that each value of a field has."""
        return 2

    def build(self, rates: BaseRates) -> None:
        inputs = self.inputs
        nn.init.zeros_(self.embedding.table)
        self.linear = LinearHeads(
            len(inputs.field_sizes) + len(inputs.bag_sizes),
            self.outputs(self.config),
            inputs.numerics,
            inputs.numeric_width - inputs.numerics,
        )
        with torch.no_grad():
            self.linear.intercepts[:2] = torch.tensor([rates.ctr, rates.cvr]).logit()

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.linear(x)
        return Outputs({"ctr": found[:, CTR], "cvr": found[:, CVR]})

    def columns(self, *, exposed: bool, further: int = 0) -> Columns:
        """The columns of a regression; `exposed` ones read the exposure, if there is one."""
        known = self.inputs.exposure if exposed else None
        return Columns(self.inputs, 0 if known is None else len(known.shares), further)

    def take(self, output: int, columns: Columns, coefficients: Floats) -> None:
        """Set the weights of a logit."""
        found = torch.from_numpy(coefficients).float()
        with torch.no_grad():
            self.embedding.table[:, output] = found[: columns.values]
            self.linear.slopes[:, output] = found[columns.numbers]
            self.linear.intercepts[output] = found[-1]
            if columns.exposures and self.exposure is not None:
                for table in self.exposure.tables.values():
                    table[:, 0] = found[columns.values : columns.sparse] / GAIN


def fitted(
    blocks: Blocks,
    groups: Groups,
    start: Floats,
    *,
    variance: float | None,
    sample: Blocks | None = None,
    threads: int = 1,
) -> Fit:
    """A regression with variances estimated, on a sample of the rows if one is given, or fixed."""
    if variance is None:
        found = estimate_variances(sample or blocks, groups, start, threads=threads)
    else:
        found = EmpiricalBayes(np.full(groups.number, variance), start)
    mode = fit_mode(blocks, groups.prior(found.variances), found.coefficients, threads=threads)
    return Fit(mode, found.variances)
