"""What a method predicts for each row of a split, as a Parquet file."""

import io
from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError
from torch import Tensor

from postclick.errors import InputError
from postclick.methods.base import Prediction

COLUMNS = {
    "ctr_logit": "logit of pCTR",
    "cvr_logit": "logit of pCVR",
    "log_ctcvr": "ln pCTCVR, where it is predicted otherwise than as pCTR x pCVR",
    "teacher_logit": "logit of the label that unclicked rows are given in training, if any",
}


class Predictions:
    """Logits of the rows of a split in its order, batch after batch.

    >>> import torch
    >>> kept = Predictions()
    >>> kept.add(Prediction(torch.zeros(2), torch.ones(2)), None)
    >>> kept.frame().columns, kept.frame().height
    (['ctr_logit', 'cvr_logit'], 2)
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}

    def add(self, prediction: Prediction, soft_label: Tensor | None) -> None:
        """Add a batch; every batch of a method has the same columns."""
        found = (prediction.ctr, prediction.cvr, prediction.log_ctcvr, soft_label)
        for parts, values in zip(self._parts.values(), found, strict=True):
            if values is not None:
                parts.append(values.float().cpu().numpy())

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(
            {name: np.concatenate(parts) for name, parts in self._parts.items() if parts}
        )

    def to_parquet(self) -> bytes:
        buffer = io.BytesIO()
        self.frame().write_parquet(buffer)
        return buffer.getvalue()


def read_predictions(path: Path) -> pl.DataFrame:
    """Predictions from a file.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    if not path.is_file():
        raise InputError(
            f"{path} does not exist: predictions are kept by compare, or by evaluate with "
            "keep_predictions=True"
        )
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, PolarsError) as error:
        raise InputError(f"{path} is damaged: {error}: remove it and evaluate again") from None
