"""Hooks: whoever reads a table finds it as dense Adam would have it."""

import gc
import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

from helpers.tower import Tower, dense_twin, rowwise, sparse_tower, train
from postclick.errors import InputError
from postclick.optim import RowwiseAdam


@pytest.fixture
def trained() -> tuple[Tower, RowwiseAdam, Tower]:
    """A tower some rows of which wait, its optimizer, and the tower that dense Adam trained."""
    mine, theirs = sparse_tower(), dense_twin()
    optimizer = rowwise(mine, lr=0.01, weight_decay=1e-3)
    train(mine, optimizer, mine.batches(30))
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, weight_decay=1e-3)
    train(theirs, adam, theirs.batches(30))
    assert mine.difference(theirs) > 0.01, "rows have to wait"
    return mine, optimizer, theirs


def test_evaluation_reads_rows_of_the_present(trained: tuple[Tower, RowwiseAdam, Tower]) -> None:
    mine, _, theirs = trained
    every = torch.arange(mine.rows)
    inputs = every.unsqueeze(1).expand(-1, 2), every.unsqueeze(1), torch.ones(mine.rows, 1)
    with torch.no_grad():
        torch.testing.assert_close(mine.eval()(*inputs), theirs.eval()(*inputs), rtol=0, atol=1e-5)
    assert mine.difference(theirs) < 1e-5


def test_a_state_dict_is_of_the_present(trained: tuple[Tower, RowwiseAdam, Tower]) -> None:
    mine, _, theirs = trained
    wanted = theirs.state_dict()
    for name, tensor in mine.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=1e-5)


def test_loaded_weights_stay(trained: tuple[Tower, RowwiseAdam, Tower]) -> None:
    """What rows had still to do was of the weights that are gone."""
    mine, optimizer, _ = trained
    loaded = sparse_tower().state_dict()
    mine.load_state_dict(loaded)
    optimizer.catch_up()
    mine(*next(iter(mine.batches(1))))
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in mine.state_dict().items())


def test_the_hooks_can_be_taken_off() -> None:
    tower = sparse_tower()
    optimizer = RowwiseAdam(tower.parameters(), lr=0.01, mode="exact")
    handles = optimizer.attach(tower)
    batches = list(tower.batches(20))
    train(tower, optimizer, batches[:10])
    for handle in handles:
        handle.remove()
    with pytest.raises(InputError, match="read before they were brought to the present"):
        train(tower, optimizer, batches[10:])


def test_rows_that_stay_need_no_hooks() -> None:
    tower = sparse_tower()
    optimizer = RowwiseAdam(tower.parameters(), lr=0.01)
    assert optimizer.attach(tower) == []
    train(tower, optimizer, tower.batches(3))
    before = tower.items.weight.detach().clone()
    optimizer.prepare(tower.items.weight, torch.arange(tower.rows))
    optimizer.catch_up()
    assert torch.equal(tower.items.weight, before)


@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_of_the_model_is_left_alone(
    trained: tuple[Tower, RowwiseAdam, Tower], how: str
) -> None:
    """Weights that somebody keeps, an average say, are not this optimizer's to move."""
    mine, optimizer, _ = trained
    copy = deepcopy(mine) if how == "deepcopy" else pickle.loads(pickle.dumps(mine))
    before = {name: p.detach().clone() for name, p in copy.named_parameters()}
    copy(*next(iter(copy.batches(1))))
    copy.load_state_dict(copy.state_dict())
    train(mine, optimizer, mine.batches(3))
    assert all(torch.equal(p, before[name]) for name, p in copy.named_parameters())


def test_ids_may_be_named_and_of_any_integer_type() -> None:
    embedding, bag = nn.Embedding(9, 2, sparse=True), nn.EmbeddingBag(9, 2, sparse=True)
    both = nn.ModuleList([embedding, bag])
    optimizer = RowwiseAdam(both.parameters(), mode="exact", weight_decay=0.1)
    optimizer.attach(both)
    for k in range(12):
        optimizer.zero_grad()
        ids = torch.tensor([k % 9, (k * k) % 9], dtype=torch.int32)
        offsets = torch.tensor([0, 1], dtype=torch.int32)
        (embedding(input=ids).sum() + bag(input=ids, offsets=offsets).sum()).backward()
        optimizer.step()


def test_rows_are_brought_up_when_the_optimizer_is_out_of_sight() -> None:
    """A function that trains a model and returns it leaves rows behind that still wait."""
    mine, theirs = sparse_tower(), dense_twin()
    train(mine, rowwise(mine, lr=0.01), mine.batches(30))
    gc.collect()
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01)
    train(theirs, adam, theirs.batches(30))
    assert mine.difference(theirs) > 0.01, "rows have to wait"
    mine.state_dict()
    assert mine.difference(theirs) < 1e-5


def test_a_padding_row_stays_as_under_dense_adam() -> None:
    tables = []
    for sparse in (True, False):
        torch.manual_seed(0)
        embedding = nn.Embedding(8, 2, padding_idx=0, sparse=sparse)
        optimizer: torch.optim.Optimizer
        if sparse:
            optimizer = RowwiseAdam(embedding.parameters(), mode="exact", weight_decay=0.1)
            optimizer.attach(embedding)
        else:
            optimizer = torch.optim.Adam(embedding.parameters(), weight_decay=0.1)
        for k in range(20):
            optimizer.zero_grad()
            embedding(torch.tensor([0, k % 8, (3 * k) % 8])).square().sum().backward()
            optimizer.step()
        tables.append(embedding.state_dict()["weight"])
    assert torch.equal(tables[0][0], torch.zeros(2))
    torch.testing.assert_close(tables[0], tables[1], rtol=0, atol=1e-6)
