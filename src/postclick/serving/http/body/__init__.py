"""The body of a request, JSON or Arrow, to columns."""
