"""Building blocks that know nothing of clicks: embedding, backbones, towers, attention.

>>> import torch
>>> network = NetworkConfig(tower=(8,))
>>> embedding = FeatureEmbedding([5, 3], [], 1, dim=4, config=network)
>>> x = embedding(torch.tensor([[1, 5], [2, 6]]), torch.zeros(2, 1))
>>> heads = HeadNetwork(embedding.width, {"ctr": 0.1, "cvr": 0.2}, network, "share_bottom")
>>> {name: tuple(out.logit.shape) for name, out in heads(x).items()}
{'ctr': (2,), 'cvr': (2,)}
"""

from postclick.nn.attention import CausalTransfer
from postclick.nn.backbones import BackboneOptions, TaskBackbone, find_backbone
from postclick.nn.config import NetworkConfig
from postclick.nn.embedding import FeatureEmbedding
from postclick.nn.heads import Head, HeadNetwork
from postclick.nn.mlp import MLP
from postclick.nn.target_attention import TargetAttention

__all__ = [
    "MLP",
    "BackboneOptions",
    "CausalTransfer",
    "FeatureEmbedding",
    "Head",
    "HeadNetwork",
    "NetworkConfig",
    "TargetAttention",
    "TaskBackbone",
    "find_backbone",
]
