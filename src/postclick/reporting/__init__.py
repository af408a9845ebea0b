"""One self-contained HTML page from a comparison, and `compare`, which ends with it."""
