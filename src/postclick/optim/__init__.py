"""Adam on the touched rows of embedding tables, and dense Adam beside it."""
