"""Trees that LightGBM boosts on a log, as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from postclick.data.batch import Batch
from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods.fitted import Tensors
from postclick.methods.networks.boosted_trees import BELOW_CATEGORIES, SET_SIZE, BoostedTrees
from postclick.progress import Reporter
from postclick.spelling import option

BATCH_ROWS = 1 << 16
# Trees in a row without a lower loss on the validation split, after which there are enough.
PATIENCE = 50
Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class TreeRows:
    """Rows as LightGBM takes them.

    Attributes:
        features: float32 `(n, p)`.
        start: `(n,)`, the logit that trees add to.
        label: `(n,)`, 0 or 1.
        weight: `(n,)`; None for 1 each.
    """

    features: Floats32
    start: Floats32
    label: Floats32
    weight: Floats32 | None

    def dataset(self, categories: int, reference: lightgbm.Dataset | None) -> lightgbm.Dataset:
        return lightgbm.Dataset(
            self.features,
            self.label,
            weight=self.weight,
            init_score=self.start.astype(np.float64),
            categorical_feature=list(range(categories)),
            reference=reference,
        )


@dataclass(frozen=True)
class SplitRows:
    """A split of a log: features of all rows, and what they are labelled by.

    Attributes:
        start: `(n,)`, what the logit of a click begins with.
    """

    features: Floats32
    start: Floats32
    click: Floats32
    conversion: Floats32
    weight: Floats32 | None

    def rows(self, head: str, start: float) -> TreeRows:
        """All rows with their clicks, or clicked rows with their conversions."""
        if head == "ctr":
            return TreeRows(self.features, self.start, self.click, self.weight)
        on = self.click > 0
        weight = None if self.weight is None else self.weight[on]
        constant = np.full(int(on.sum()), start, np.float32)
        return TreeRows(self.features[on], constant, self.conversion[on], weight)


class TreeFit:
    """Trees of clicks and of conversions on one log, stopped by its validation split.

    Args:
        features: those of a batch, [n, p].
        click_start: what the logit of a click begins with, of a batch, [n].
        parameters: of LightGBM.
        trees: at the most.
    """

    def __init__(
        self,
        log: PreparedLog,
        features: Callable[[Batch], Tensor],
        click_start: Callable[[Batch], Tensor],
        parameters: dict[str, Any],
        trees: int,
        reporter: Reporter,
    ) -> None:
        self._log, self._features, self._click_start = log, features, click_start
        self._parameters, self._trees, self._reporter = parameters, trees, reporter

    @cached_property
    def _splits(self) -> dict[str, SplitRows]:
        return {name: self._read(name) for name in ("train", "valid")}

    def _read(self, split: str) -> SplitRows:
        parts: list[list[Tensor]] = [[] for _ in range(5)]
        for batch, _, _ in self._log.sequential(split, BATCH_ROWS):
            found = (self._features(batch), self._click_start(batch), batch.click, batch.conversion)
            weighed = () if batch.weight is None else (batch.weight,)
            for part, tensor in zip(parts, (*found, *weighed), strict=False):
                part.append(tensor.cpu())
        features, start, click, conversion, *weight = (
            torch.cat(part).numpy() for part in parts if part
        )
        return SplitRows(features, start, click, conversion, weight[0] if weight else None)

    def boosted(self, head: str, start: float, shape: BoostedTrees) -> Tensors:
        """The trees of `ctr` or `cvr`, as buffers of `shape`.

        Args:
            start: what the logit of a conversion begins with.

        Raises:
            InputError: the validation split has no click, and so no row to stop conversions by.
        """
        if not self._log.split("valid").clicks:
            raise InputError(
                f"{self._log.folder}: no click in the validation split, by which trees of "
                f"conversions are stopped: prepare it with a larger {option('valid_fraction')}"
            )
        booster = self._booster(head, start, shape.categories)
        count = booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()
        self._reporter.line(f"{count} trees of at most {self._trees}, by the validation split")
        return tree_tensors(booster, count, shape)

    def _booster(self, head: str, start: float, categories: int) -> lightgbm.Booster:
        train, valid = (self._splits[name].rows(head, start) for name in ("train", "valid"))
        data = train.dataset(categories, None)
        return lightgbm.train(
            self._parameters,
            data,
            self._trees,
            valid_sets=[valid.dataset(categories, data)],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )


def tree_tensors(booster: lightgbm.Booster, count: int, shape: BoostedTrees) -> Tensors:
    """The first `count` trees of a booster, as buffers of `shape`.

    Features are float32, and `x <= threshold` is decided as in double: a threshold is rounded
    down to the next float32.
    """
    arrays = {name: buffer.cpu().numpy().copy() for name, buffer in shape.named_buffers()}
    dumped = booster.dump_model(num_iteration=count)["tree_info"]
    sets = 1
    for number, tree in enumerate(dumped):
        splits = int(tree["num_leaves"]) - 1
        first = number * shape.nodes
        waiting = [tree["tree_structure"]]
        while waiting:
            node = waiting.pop()
            if "split_index" not in node:
                arrays["value"][first + splits + node.get("leaf_index", 0)] = node["leaf_value"]
                continue
            at = first + node["split_index"]
            arrays["feature"][at] = node["split_feature"]
            if node["decision_type"] == "==":
                members = np.array(node["threshold"].split("||"), np.int64)
                arrays["set_of"][at], arrays["threshold"][at] = sets, BELOW_CATEGORIES
                arrays["sets"][sets * SET_SIZE + members] = True
                sets += 1
            else:
                arrays["threshold"][at] = _rounded_down(node["threshold"])
            for side, child in enumerate((node["left_child"], node["right_child"])):
                inner = child.get("split_index", splits + child.get("leaf_index", 0))
                arrays["child"][2 * at + side] = first + inner
                waiting.append(child)
    arrays["count"] = np.array(len(dumped))
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def _rounded_down(threshold: float) -> np.float32:
    """The largest float32 that is not above it."""
    near = np.float32(threshold)
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))
