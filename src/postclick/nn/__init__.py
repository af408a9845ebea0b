"""Building blocks that know nothing of clicks: embedding, attention, MLPs, heads; backbones."""
