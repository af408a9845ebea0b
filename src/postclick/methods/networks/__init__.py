"""Networks that a single method has."""
