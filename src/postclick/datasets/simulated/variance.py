"""How much of the variance of logits is additive in users, items and context, and how much is not.

First-order indices (I. M. Sobol', "Global sensitivity indices for nonlinear mathematical models
and their Monte Carlo estimates", 2001): the covariance of two draws that share one input and no
other is the variance of what that input gives by itself.
"""

from collections.abc import Callable

import numpy as np

from postclick.datasets.simulated.population import Floats, Ints

# Standard errors are then about .003.
MOST_DRAWS = 200_000

Scores = Callable[[Ints, Ints, Ints], tuple[Floats, Floats]]


def variance_of_scores(
    rng: np.random.Generator, scores: Scores, user: Ints, item: Ints, context: Ints
) -> list[dict[str, float]]:
    """Variance of each of two scores over independent users, items and contexts, in parts.

    Whoever knows each user, each item and each context by itself, whatever its attributes, and adds
    up, gets `users`, `items` and `context`; `interactions` is what no such sum has.

    Args:
        scores: two functions of users, items and contexts, by place, shapes (n,).
        user, item, context: places as the log has them, shape (rows,). Draws are from these
            columns, each by itself.

    Returns:
        For either score its variances by part. An estimate of 0 may be a little below.

    >>> codes = np.random.default_rng(0).integers(0, 2, (3, 50_000), dtype=np.int32)
    >>> def scores(u, i, c):
    ...     return 2.0 * u + i, np.where(u == i, 1.0, -1.0)
    >>> [{name: abs(round(v, 1)) for name, v in parts.items()}
    ...  for parts in variance_of_scores(np.random.default_rng(1), scores, *codes)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [{'users': 1.0, 'items': 0.2, 'context': 0.0, 'interactions': 0.0},
     {'users': 0.0, 'items': 0.0, 'context': 0.0, 'interactions': 1.0}]
    """
    draws = min(user.size, MOST_DRAWS)
    first, second = (
        [column[rng.permutation(column.size)[:draws]] for column in (user, item, context)]
        for _ in range(2)
    )
    whole = scores(*first)
    sharing = [
        scores(*(first[k] if k == shared else second[k] for k in range(3))) for shared in range(3)
    ]
    found = []
    for kind, score in enumerate(whole):
        centred = score - score.mean()
        parts = [
            # A constant has no part, without the noise of the draws.
            float(np.mean(centred * (other[kind] - other[kind].mean()))) if np.ptp(column) else 0.0
            for other, column in zip(sharing, first, strict=True)
        ]
        rest = float(np.mean(centred**2)) - sum(parts)
        found.append(
            dict(zip(("users", "items", "context", "interactions"), [*parts, rest], strict=True))
        )
    return found


def as_shares(parts: dict[str, float]) -> dict[str, float]:
    """Of the sum of all parts.

    >>> as_shares({"users": 1.0, "interactions": 3.0})
    {'users': 0.25, 'interactions': 0.75}
    """
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}
