"""Linear methods: logistic regressions of clicks and of conversions that fit themselves."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.fitted import FittedMethod, pooled_inputs
from postclick.methods.linear_columns import Columns
from postclick.methods.networks.linear_heads import LinearHeads
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.nn.config import NetworkConfig
from postclick.nn.exposure import GAIN

CTR, CVR = 0, 1
C = TypeVar("C", bound=MethodConfig)


class LinearMethod(FittedMethod[C]):
    """Base of methods whose logits are linear in the features.

    The embedding has two numbers for each value of each field, what it adds to the logit of a
    click and to that of a conversion.
    """

    def __init__(
        self, config: C, network: NetworkConfig, inputs: InputSpec, rates: BaseRates, dim: int
    ) -> None:
        self.inputs = pooled_inputs(inputs)
        super().__init__(config, NetworkConfig(), self.inputs, rates, self.outputs(config))

    @classmethod
    def outputs(cls, config: Any) -> int:
        """Numbers that each value of a field has."""
        return 2

    def build(self, rates: BaseRates) -> None:
        inputs = self.inputs
        self.rates = rates
        self.linear = LinearHeads(
            len(inputs.field_sizes) + len(inputs.bag_sizes),
            self.outputs(self.config),
            inputs.numerics,
            inputs.numeric_width - inputs.numerics,
        )
        if self.embedding.table.is_meta:
            return  # values are loaded, and meta tensors load torch._dynamo
        with torch.no_grad():
            self.embedding.table.zero_()
            self.linear.intercepts[:2] = torch.tensor([rates.ctr, rates.cvr]).logit()

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        found = self.linear(x)
        return Outputs({"ctr": found[:, CTR], "cvr": found[:, CVR]})

    def take(self, output: int, columns: Columns, coefficients: Tensor) -> None:
        """Set the weights of a logit."""
        found = coefficients.float()
        with torch.no_grad():
            self.embedding.table[:, output] = found[: columns.values]
            self.linear.slopes[:, output] = found[columns.numbers]
            self.linear.intercepts[output] = found[-1]
            if columns.exposures and self.exposure is not None:
                for table in self.exposure.tables.values():
                    table[:, 0] = found[columns.values : columns.sparse] / GAIN
