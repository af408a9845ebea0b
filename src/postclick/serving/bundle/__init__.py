"""The serving bundle: made from a run, opened to score."""
