"""Matrix completion: biased matrix factorization by alternating least squares."""

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RANK = 8
SWEEPS = 20
# Weight decay, plus so much more per rating; the best of a small grid on held-out ratings.
RIDGE, RIDGE_PER_RATING = 6.0, 0.04


def complete(
    user: Ints,
    item: Ints,
    rating: Floats,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    rank: int = RANK,
) -> Floats:
    """Predict every entry of a rating matrix from the known ones; predictions are not clipped.

    The prediction is `mean + b_u + b_i + p_u . q_i`. In turn, for all users and for all items,
    bias and factors are solved for exactly with the other side held fixed. `rank=0` leaves the
    biases alone. The start of the item factors is all that is random.

    Args:
        user, item: shape (n,), row and column of each known rating.
        rating: shape (n,).
        shape: numbers of users and items.

    Returns:
        shape `shape`, in ratings. A user or item without a rating has bias and factors 0.

    Source: Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems",
    IEEE Computer 2009.

    >>> user, item = np.divmod(np.arange(8), 3)
    >>> rating = np.array([5.0, 3, 4, 4, 2, 3, 3, 1])
    >>> full = complete(user, item, rating, (3, 3), np.random.default_rng(0), rank=0)
    >>> full.shape, bool(full[0].mean() > full[1].mean() > full[2].mean())
    ((3, 3), True)
    """
    users, items = shape
    mean = float(rating.mean())
    p = np.zeros((users, rank))
    q = rng.normal(0.0, 0.1, (items, rank))
    user_bias, item_bias = np.zeros(users), np.zeros(items)
    rows = _membership(user, users), _membership(item, items)
    for _ in range(SWEEPS):
        user_bias, p = _solve(rows[0], q[item], rating - mean - item_bias[item])
        item_bias, q = _solve(rows[1], p[user], rating - mean - user_bias[user])
    predicted: Floats = mean + user_bias[:, None] + item_bias[None, :] + p @ q.T
    return predicted


def _membership(group: Ints, groups: int) -> sparse.csr_matrix:
    """(groups, n) of 0 and 1: its product with (n, k) adds up the rows of each group."""
    places = (group, np.arange(group.size))
    return sparse.csr_matrix((np.ones(group.size), places), shape=(groups, group.size))


def _solve(members: sparse.csr_matrix, factors: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Ridge regression of `target` (n,) on 1 and `factors` (n, k) within each group."""
    design = np.column_stack([np.ones(target.size), factors])
    width = design.shape[1]
    squares = (design[:, :, None] * design[:, None, :]).reshape(-1, width * width)
    normal = (members @ squares).reshape(-1, width, width)
    # The first entry counts the ratings of the group.
    normal += (RIDGE + RIDGE_PER_RATING * normal[:, :1, :1]) * np.eye(width)
    solved = np.linalg.solve(normal, (members @ (design * target[:, None]))[:, :, None])[:, :, 0]
    return solved[:, 0], solved[:, 1:]
