"""`BoostedTrees` on trees written by hand; tests/methods/test_gbdt.py has those of LightGBM."""

import torch
from safetensors.torch import load, save

from postclick.methods.networks.boosted_trees import BELOW_CATEGORIES, SET_SIZE, BoostedTrees


def by_hand() -> BoostedTrees:
    """Two of at most three trees: `f0 in {2, 5} ? 1 : (f1 <= .5 ? 10 : 100)`, and a leaf, 1000."""
    made = BoostedTrees(trees=3, leaves=3, depth=2, categories=1)
    trees = {name: buffer.clone() for name, buffer in made.named_buffers()}
    # Of the first tree: splits 0 and 1, leaves 2, 3 and 4.
    trees["set_of"][0], trees["threshold"][0] = 1, BELOW_CATEGORIES
    trees["sets"][SET_SIZE + torch.tensor([2, 5])] = True
    trees["feature"][1], trees["threshold"][1] = 1, 0.5
    trees["child"][:4] = torch.tensor([2, 1, 3, 4])
    trees["value"][2:5] = torch.tensor([1.0, 10.0, 100.0])
    trees["value"][5] = 1000.0
    trees["count"] = torch.tensor(2)
    made.take(trees)
    return made


def test_rows_go_where_the_splits_say() -> None:
    rows = [[2.0, 0.7], [5.0, 0.0], [0.0, 0.5], [3.0, 0.5001], [254.0, -9.0], [999.0, 1.0]]
    found = by_hand()(torch.tensor(rows))
    assert found.tolist() == [1001, 1001, 1010, 1100, 1010, 1100]


def test_no_row_and_no_tree() -> None:
    assert by_hand()(torch.zeros(0, 2)).shape == (0,)
    fresh = BoostedTrees(trees=3, leaves=3, depth=2, categories=0)
    assert fresh(torch.ones(4, 2)).tolist() == [0.0] * 4


def test_all_trees_are_evaluated_after_they_are_loaded() -> None:
    """Those beyond `count` too, if there were more: they add nothing."""
    trees, rows = by_hand(), torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    with torch.device("meta"):
        loaded = BoostedTrees(trees=3, leaves=3, depth=2, categories=1)
    assert loaded.used == 0
    loaded.load_state_dict(load(save(trees.state_dict())), assign=True)
    assert loaded.used == 2
    assert torch.equal(loaded(rows), trees(rows))
    loaded.used = 3
    assert torch.equal(loaded(rows), trees(rows))
