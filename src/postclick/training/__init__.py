"""Training: the loop, the optimizers, checkpoints, progress. Knows no method by name."""
