"""Adam on the touched rows of embedding tables, and dense Adam beside it.

>>> import torch
>>> from postclick.optim import RowwiseAdam
>>> embedding = torch.nn.Embedding(1000, 4, sparse=True)
>>> optimizer = RowwiseAdam(embedding.parameters(), lr=0.01)
>>> before = embedding.weight.detach().clone()
>>> embedding(torch.tensor([3, 7, 3])).sum().backward()
>>> optimizer.step()
>>> (embedding.weight != before).any(dim=1).nonzero().flatten().tolist()
[3, 7]
"""

from postclick.optim.rowwise_adam import RowwiseAdam as RowwiseAdam

__all__ = ["RowwiseAdam"]
