"""A first schema for a log, drafted from its columns' names and values."""

from postclick.data.check.propose.proposal import propose_schema

__all__ = ["propose_schema"]
