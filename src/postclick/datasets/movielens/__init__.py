"""MovieLens-100K as a semi-synthetic log with known truth."""

from postclick.datasets.movielens.log import MOVIELENS, MovieLensOptions, read_movielens

__all__ = ["MOVIELENS", "MovieLensOptions", "read_movielens"]
