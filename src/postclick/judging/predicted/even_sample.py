"""An even sample of bounded size of values that come in pieces."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class EvenSample:
    """Every so-manieth value: of all while they are few, then of every second, fourth, and so on.

    >>> sample = EvenSample(most=3)
    >>> sample.add(np.arange(4.0))
    >>> sample.values().tolist(), sample.whole
    ([0.0, 2.0], False)
    """

    def __init__(self, most: int) -> None:
        self._most, self._kept, self._step = most, 0, 1
        self._seen: list[NDArray[Any]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Add some values, `(k,)`."""
        self._seen.append(np.array(values[:: self._step]))
        self._kept += self._seen[-1].size
        while self._kept > self._most:
            self._seen = [np.concatenate(self._seen)[::2]]
            self._kept, self._step = self._seen[0].size, 2 * self._step

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self._step == 1

    def values(self) -> NDArray[Any]:
        """What is kept, in the order in which it came; empty without any."""
        return np.concatenate(self._seen) if self._seen else np.zeros(0)
