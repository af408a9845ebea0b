"""Gradient-boosted trees by LightGBM: what practitioners try first."""

from functools import partial
from typing import Any, cast

import torch
from pydantic import Field
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import BaseRates, InputSpec
from postclick.methods.base import SERVING_HEADS
from postclick.methods.fitted import FittedMethod, Fitting, Tensors, pooled_inputs
from postclick.methods.networks.boosted_trees import BoostedTrees
from postclick.methods.options import MethodConfig
from postclick.methods.outputs import Outputs
from postclick.methods.tree_codes import flags_of, value_codes
from postclick.nn.config import NetworkConfig
from postclick.nn.exposure import GAIN
from postclick.ranges import Between, Choice


class GbdtConfig(MethodConfig):
    """Options of `gbdt`, the same for clicks and conversions.

    Attributes:
        trees: at the most; the validation split says how many there are.
        learning_rate: what each tree is multiplied by.
        leaves: of a tree, at the most.
        depth: splits from the root of a tree to a leaf, at the most.
        min_rows_in_leaf: fewer make no leaf.
        l2: penalty of what leaves say.
        category_l2: the same where a split is by a category, and the rows that each category's mean
            is shrunk by before they are put in order. LightGBM has 10 for both, which overfits
            fields of many values to few conversions.
    """

    search = {
        "learning_rate": Between(0.01, 0.2, log=True),
        "leaves": Choice((4, 8, 15, 31)),
        "depth": Choice((2, 4, 8)),
        "min_rows_in_leaf": Choice((20, 50, 200)),
        "l2": Between(0.1, 100.0, log=True),
        "category_l2": Between(5.0, 500.0, log=True),
    }
    unsearched = {"trees": "the validation split says how many there are"}

    trees: int = Field(default=500, ge=1, le=5_000)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    leaves: int = Field(default=8, ge=2, le=128)
    depth: int = Field(default=4, ge=1, le=16)
    min_rows_in_leaf: int = Field(default=50, ge=1)
    l2: float = Field(default=1.0, ge=0)
    category_l2: float = Field(default=50.0, ge=0)


class Gbdt(FittedMethod[GbdtConfig]):
    r"""Gradient-boosted trees of clicks on all impressions, and of conversions on clicked ones.

    L = mean_D l(p; c) and mean_C l(q; v), each descended by trees of its own that begin at the
    training rate; their number is where the loss on the validation split, of its space, is least.

    Trees read of each field which of its 254 most frequent values a row has, of each list which
    of its 32 most frequent values are in it, numerics and the elements of vectors; what is missing
    is what `prepare` put there. The exposure's part in pCTR is that of a logistic regression of
    clicks on all features; the trees of clicks add to it, and those of conversions do not read it.
    All training rows are held in memory as float32. Fitting needs LightGBM (the extra `gbdt`);
    what is fitted is plain tensors, which are loaded, judged and exported without it.

    Source: Friedman, Annals of Statistics 29, 2001; LightGBM (Ke et al., NeurIPS 2017).
    """

    name = "gbdt"
    summary = "gradient-boosted trees (LightGBM) of clicks and of conversions"
    reference = "Ke et al., LightGBM, NeurIPS 2017"
    expect = (
        "good at clicks, where labels are many and combinations of values count; with few hundred "
        "conversions its pCVR is behind that of `naive` and `click_prior` in the simulated "
        "worlds, where most is said by fields of thousands of values; as biased as `naive` where "
        "an unseen cause drives both. Of a field it reads the 254 most frequent values, of a list "
        "the 32 most frequent ones. Scoring takes tens of times as long as with a small network."
    )
    requires = ("lightgbm", "gbdt")
    Config = GbdtConfig

    def __init__(
        self,
        config: GbdtConfig,
        network: NetworkConfig,
        inputs: InputSpec,
        rates: BaseRates,
        dim: int,
    ) -> None:
        self.inputs = pooled_inputs(inputs)
        super().__init__(config, NetworkConfig(), self.inputs, rates, flags_of(inputs))

    def build(self, rates: BaseRates) -> None:
        config, fields = self.config, len(self.inputs.field_sizes)
        self.rates = rates
        self.intercepts = torch.nn.Parameter(torch.zeros(2))
        self.trees = torch.nn.ModuleDict(
            {
                head: BoostedTrees(config.trees, config.leaves, config.depth, fields)
                for head in SERVING_HEADS
            }
        )
        if self.embedding.table.is_meta:
            return  # values are loaded, and meta tensors load torch._dynamo
        with torch.no_grad():
            self.embedding.table.zero_()
            self.intercepts[:] = torch.tensor([rates.ctr, rates.cvr]).logit()

    def trees_of(self, head: str) -> BoostedTrees:
        return cast(BoostedTrees, self.trees[head])

    def features(self, x: Tensor) -> Tensor:
        """What trees read of embedded features [n, width]: categories, flags and numbers."""
        flags = flags_of(self.inputs)
        fields, lists = (len(sizes) for sizes in (self.inputs.field_sizes, self.inputs.bag_sizes))
        # Not x[:, :width]: an exported graph has x in two parts, which functions put together.
        whole = torch.narrow(x, 1, 0, (fields + lists) * flags + self.inputs.numeric_width)
        codes, sums, numbers = torch.split(
            whole, [fields * flags, lists * flags, self.inputs.numeric_width], dim=1
        )
        parts = [codes[:, ::flags], (sums > 0).to(sums.dtype), numbers]
        return torch.cat([part for part in parts if part.shape[1]], dim=1)

    def heads(self, x: Tensor, *, serving: bool) -> Outputs:
        features = self.features(x)
        return Outputs(
            {
                head: self.intercepts[number] + self.trees_of(head)(features)
                for number, head in enumerate(SERVING_HEADS)
            }
        )

    def fit(self, fitting: Fitting) -> None:
        # Here, for it loads LightGBM, which nothing else needs.
        from postclick.methods.tree_fit import TreeFit

        self.eval()
        log = fitting.log
        codes = fitting.stage("values", lambda: {"table": value_codes(log, self.inputs)})
        self.embedding.table.data.copy_(codes["table"])
        if self.exposure is not None:
            fitting.reporter.line("the exposure's part in clicks")
            found = fitting.stage("exposure", lambda: self._exposure_effect(fitting))
            for table in self.exposure.tables.values():
                table.data[:, 0] = found["effect"] / GAIN
        fit = TreeFit(
            log,
            lambda batch: self.features(self.embed(batch.to(self.intercepts.device))),
            self._click_start,
            self._lightgbm_options(fitting),
            self.config.trees,
            fitting.reporter,
        )
        start = float(self.intercepts[1])
        for head, what in zip(SERVING_HEADS, ("clicks", "conversions"), strict=True):
            fitting.reporter.line(f"trees of {what}")
            trees = self.trees_of(head)
            trees.take(fitting.stage(what, partial(fit.boosted, head, start, trees)))

    def _click_start(self, batch: Batch) -> Tensor:
        """The logit of a click without trees, [n]."""
        start = self.intercepts[0].expand(len(batch))
        if self.exposure is None:
            return start
        added: Tensor = self.exposure("ctr", start, batch.to(start.device).exposure)
        return added

    def _exposure_effect(self, fitting: Fitting) -> Tensors:
        """What each value of the exposure adds to the logit of a click, beside all features.

        Not its own log-odds: where good items stand at the top, those have the items in them.
        """
        from postclick.methods.linear_fit import LinearFit

        fit = LinearFit(fitting.log, self.inputs, self.rates, 1.0, threads=fitting.threads)
        columns = fit.columns(exposed=True)
        return {"effect": fit.clicks()["coefficients"][columns.values : columns.sparse].float()}

    def _lightgbm_options(self, fitting: Fitting) -> dict[str, Any]:
        config = self.config
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "max_depth": config.depth,
            "min_data_in_leaf": config.min_rows_in_leaf,
            "lambda_l2": config.l2,
            "cat_l2": config.category_l2,
            "cat_smooth": config.category_l2,
            # A prepared log has no NaN.
            "use_missing": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": fitting.threads,
            "seed": fitting.seed,
            "verbosity": -1,
        }
