"""Building blocks that know nothing of clicks: embedding, MLPs, backbones, conditioning."""
