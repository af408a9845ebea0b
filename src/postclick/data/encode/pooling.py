"""How the ids of one multi-valued feature are weighted: the same in training and in scoring."""

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]


def pooling_weights(weights: Floats32, lengths: npt.NDArray[np.int64], pooling: str) -> Floats32:
    """float32 [k]: weights with which a sum of embeddings is the feature's `pooling`.

    For "mean" 1/length is folded in, so that pooling is always a weighted sum. For "attention"
    these weights are multiplied by scores that the network learns.

    Args:
        weights: float32 [k], row after row.
        lengths: int64 [n], ids of each row; they add up to k.

    >>> pooling_weights(np.ones(3, np.float32), np.array([2, 0, 1]), "mean").tolist()
    [0.5, 0.5, 1.0]
    """
    if pooling != "mean":
        return weights
    divisors: Floats32 = np.repeat(np.maximum(lengths, 1), lengths).astype(np.float32)
    folded: Floats32 = np.divide(weights, divisors)
    return folded
