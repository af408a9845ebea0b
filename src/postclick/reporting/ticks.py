"""Which values an axis marks."""

import math


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many multiples of 1, 2 or 5 times a power of ten between two values.

    >>> even_ticks(0.0, 0.37, 5), even_ticks(-1.1, 1.1, 5)
    ([0.0, 0.1, 0.2, 0.3], [-1.0, -0.5, 0.0, 0.5, 1.0])
    """
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (1, 2, 5, 10, 20):
        first, last = math.ceil(low / (step * size)), math.floor(high / (step * size))
        if last - first + 1 <= most:
            return [float(f"{k * step * size:.10g}") + 0.0 for k in range(first, last + 1)]
    raise AssertionError("twenty times a fifth of the range")
