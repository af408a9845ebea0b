"""`postclick serve`: a bundle behind HTTP, in JSON and Arrow, without torch."""
