"""Predictions of any models judged on a raw log: streamed, with intervals over its groups."""
