"""From a run to scores: the serving bundle, and scoring with it, which needs no torch."""
