"""A method, or an oracle, on a split of a log: predictions to a judgement."""
